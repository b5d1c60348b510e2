package scheme

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/tensor"
)

// What follows has the bits of mx.quantize on a CPU (mlx 0.32.4, backend/cpu/quantized.cpp for integers, fp_quantize of ops.cpp for
// floats). Integers are computed in float32 whatever the dtype of the weight; scale and bias are rounded to it when the codes have
// been chosen by those that are not. Floats are computed in that dtype, rounded after every step.

// Part is one of the tensors that MLX stores for a weight.
type Part int

// The parts of a weight.
const (
	Codes Part = iota
	Scales
	Biases
)

// ErrNotFinite is the error of a weight whose values or scales are not finite numbers.
var ErrNotFinite = errors.New("codes stand for finite values")

// Encode sets dst to one part of whole groups of a weight of a plain dtype, whose values are exact in it.
func (m MLX) Encode(dst []byte, part Part, values []float32, of tensor.DType) error {
	if numcheck.NonFinite(values) >= 0 {
		return ErrNotFinite
	}
	each := len(dst) / (len(values) / m.Group) // bytes of a group
	var codes [maxMLXGroup]byte
	for ; len(values) > 0; values, dst = values[m.Group:], dst[each:] {
		if !m.Affine() {
			m.floats(dst[:each], part, values[:m.Group], codes[:m.Group], of)
			continue
		}
		scale, bias := affine(values[:m.Group], m.Bits)
		switch part {
		case Codes:
			top := float32(uint(1)<<m.Bits - 1)
			for i, v := range values[:m.Group] {
				codes[i] = byte(min(max(rint((v-bias)/scale), 0), top))
			}
			pack(dst[:each], codes[:m.Group], m.Bits)
			continue
		case Biases:
			scale = bias
		}
		tensor.NarrowF32(dst[:each], of, []float32{scale})
		if back := narrowed(scale, of); math.IsInf(float64(back), 0) || back != back {
			return ErrNotFinite
		}
	}
	return nil
}

// maxMLXGroup is the largest group.
const maxMLXGroup = 128

// affine chooses the scale and bias of a group: code 0 is the end of its range that is further from 0, which a multiple of the
// scale reaches exactly.
func affine(values []float32, bits int) (scale, bias float32) {
	lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range values {
		if v > hi {
			hi = v
		}
		if v < lo {
			lo = v
		}
	}
	edge := hi
	scale = -max((hi-lo)/float32(uint(1)<<bits-1), 1e-7)
	if math.Abs(float64(lo)) > math.Abs(float64(hi)) {
		edge, scale = lo, -scale
	}
	if n := rint(edge / scale); n != 0 {
		return edge / n, edge
	}
	return scale, 0
}

// floats is Encode for a group in one of the modes with floats for codes.
func (m MLX) floats(dst []byte, part Part, values []float32, codes []byte, of tensor.DType) {
	var largest float32
	for _, v := range values {
		largest = max(largest, float32(math.Abs(float64(v))))
	}
	top := float32(6)
	if m.Bits == 8 {
		top = 448
	}
	scale := narrowed(largest/top, of)
	var stored byte
	if m.Mode == "nvfp4" {
		stored = toE4M3(scale)
		scale = e4m3[stored]
	} else {
		exponent := 0
		if scale != 0 { // the next power of two
			var fraction float64
			if fraction, exponent = math.Frexp(float64(scale)); fraction == 0.5 {
				exponent--
			}
			exponent = max(exponent, -127) // mlx has no lower limit and wraps around
		}
		stored = byte(exponent + 127)
		scale = narrowed(float32(math.Ldexp(1, exponent)), of)
	}
	if part == Scales {
		dst[0] = stored
		return
	}
	between := of // the dtype of differences: those of nvfp4 are float32
	if m.Mode == "nvfp4" {
		between = tensor.F32
	}
	for i, v := range values {
		v = narrowed(v/scale, of)
		if m.Bits == 8 {
			codes[i] = toE4M3(v)
		} else {
			codes[i] = nearestE2M1(v, between)
		}
	}
	pack(dst, codes, m.Bits)
}

// nearestE2M1 returns the first code whose value is nearest to v, by differences that are rounded.
func nearestE2M1(v float32, between tensor.DType) (best byte) {
	least := float32(math.Inf(1))
	for code, value := range e2m1 {
		if d := float32(math.Abs(float64(narrowed(v-value, between)))); d < least {
			best, least = byte(code), d
		}
	}
	return best
}

// toE4M3 rounds to the nearest E4M3 number, ties to even; the largest is 448.
func toE4M3(v float32) byte {
	bits := math.Float32bits(v)
	sign := byte(bits >> 24 & 0x80)
	bits &= 0x7fffffff
	const subnormal = 141 << 23 // a number whose last bit is that of the smallest E4M3
	switch {
	case bits >= 543<<21:
		return sign | 0x7e
	case bits < 121<<23:
		return sign | byte(math.Float32bits(math.Float32frombits(bits)+math.Float32frombits(subnormal))-subnormal)
	}
	odd := bits >> 20 & 1
	return sign | byte((bits-120<<23+0x7ffff+odd)>>20)
}

// rint rounds to a whole number, ties to even.
func rint(v float32) float32 { return float32(math.RoundToEven(float64(v))) }

// narrowed rounds to a plain dtype.
func narrowed(v float32, to tensor.DType) float32 {
	switch to {
	case tensor.BF16:
		return tensor.BF16ToF32(tensor.F32ToBF16(v))
	case tensor.F16:
		return tensor.F16ToF32(tensor.F32ToF16(v))
	}
	return v
}

// pack is the reverse of unpack, for whole words.
func pack(dst, codes []byte, bits int) {
	stream, have := uint64(0), 0
	for _, c := range codes {
		stream |= uint64(c) << have
		if have += bits; have >= 32 {
			binary.LittleEndian.PutUint32(dst, uint32(stream))
			dst, stream, have = dst[4:], stream>>32, have-32
		}
	}
}
