package tensor

import (
	"encoding/binary"
	"math"
)

// bf16 is bfloat16: the upper half of a float32.
var bf16 = codec{
	name: "BF16", elems: 1, bytes: 2, kind: floatKind, torch: "bfloat16", ggml: 30,
	largest: 0x1.fep127, overflow: 0x1.ffp127, // half-way to the next step that a wider exponent would have
	widen32: widenBF16,
	widen64: func(dst []float64, src []byte) {
		for i := range dst {
			dst[i] = float64(BF16ToF32(binary.LittleEndian.Uint16(src[2*i:])))
		}
	},
	narrow: func(dst []byte, src []float32) {
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToBF16(x))
		}
	},
}

// widenBF16 decodes len(dst) elements, four to a load.
func widenBF16(dst []float32, src []byte) {
	for len(dst) >= 4 && len(src) >= 8 {
		u := binary.LittleEndian.Uint64(src)
		dst[0] = math.Float32frombits(uint32(u) << 16)
		dst[1] = math.Float32frombits(uint32(u) & 0xffff0000)
		dst[2] = math.Float32frombits(uint32(u>>16) & 0xffff0000)
		dst[3] = math.Float32frombits(uint32(u>>32) & 0xffff0000)
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// BF16ToF32 widens a bfloat16 exactly, bit for bit, NaNs included.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 narrows to bfloat16, rounding to nearest and ties to even, subnormals included;
// a NaN keeps its sign and the upper payload, and is quiet.
func F32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x0040
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
