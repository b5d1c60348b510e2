package tensor

import (
	"encoding/binary"
	"math"
)

// f16 is IEEE 754 half precision: 16 bits, sign, 5 of exponent, 10 of mantissa.
var f16 = codec{
	name: "F16", elems: 1, bytes: 2, kind: floatKind, torch: "float16", ggml: 1,
	largest: 65504, overflow: 65520, // half-way to the next step that a wider exponent would have
	widen32: widenF16,
	widen64: func(dst []float64, src []byte) {
		for i := range dst {
			dst[i] = float64(F16ToF32(binary.LittleEndian.Uint16(src[2*i:])))
		}
	},
	narrow: func(dst []byte, src []float32) {
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(x))
		}
	},
}

// widenF16 decodes len(dst) elements, four to a load.
func widenF16(dst []float32, src []byte) {
	for len(dst) >= 4 && len(src) >= 8 {
		u := binary.LittleEndian.Uint64(src)
		dst[0] = F16ToF32(uint16(u))
		dst[1] = F16ToF32(uint16(u >> 16))
		dst[2] = F16ToF32(uint16(u >> 32))
		dst[3] = F16ToF32(uint16(u >> 48))
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// F16ToF32 widens an IEEE 754 half-precision number exactly, as VCVTPH2PS does:
// a signalling NaN comes out quiet, with sign and payload kept.
func F16ToF32(h uint16) float32 {
	// With exponent and mantissa moved to their place the exponent is 112 too small. Multiplying by 2^112 repairs
	// it without rounding, and normalises subnormals on the way. Kept small enough to be inlined.
	b := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
	if h&0x7c00 == 0x7c00 { // infinity or NaN: the largest exponent here too
		b |= 0x7f800000
		if h&0x03ff != 0 {
			b |= 0x00400000
		}
	}
	return math.Float32frombits(uint32(h&0x8000)<<16 | b)
}

// F32ToF16 narrows to IEEE 754 half precision, rounding to nearest and ties to even, as VCVTPS2PH does:
// from 65520 up the result is infinite, below 2^-25 zero; a NaN keeps its sign and the upper payload, and is quiet.
func F32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13)&0x03ff
	case b >= 0x477ff000: // 65520, half-way between the largest half and the next step
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: a subnormal half is a multiple of 2^-24
		// Adding 0.5 leaves exactly 24 binary places, so the addition itself rounds to nearest even.
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
	default:
		b += 0x0fff + b>>13&1 // round the 13 dropped bits; a carry moves the exponent on rightly
		return sign | uint16((b-112<<23)>>13)
	}
}
