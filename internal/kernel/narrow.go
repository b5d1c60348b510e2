package kernel

import (
	"math"

	"github.com/gomamba/gomamba/tensor"
)

// Narrow encodes src as little-endian elements of dtype into dst, as tensor.NarrowF32 does.
func Narrow(dst []byte, dtype tensor.DType, src []float32) {
	n := whole(len(src)) // all of them if they are Q8_0, whose blocks are longer
	var leaf func(dst *byte, src *float32, n int)
	switch dtype {
	case tensor.F16:
		leaf = cpu.f16.narrow
	case tensor.BF16:
		leaf = cpu.bf16.narrow
	case tensor.Q8_0:
		leaf = cpu.q8.narrow
	}
	if leaf == nil || n == 0 {
		tensor.NarrowF32(dst, dtype, src)
		return
	}
	done := dtype.Bytes(n)
	leaf(&dst[:done][0], &src[0], n)
	if n < len(src) {
		tensor.NarrowF32(dst[done:], dtype, src[n:])
	}
}

// MaxAbs returns the largest magnitude among v, 0 for none and NaN if there is one.
func MaxAbs(v []float32) float32 {
	n, bits := whole(len(v)), uint32(0)
	if n > 0 {
		bits = cpu.maxAbsBits(&v[0], n)
	}
	return math.Float32frombits(max(bits, maxAbsBitsGeneric(v[n:])))
}

// maxAbsBitsGeneric returns the largest of the bits of v without their signs: magnitudes are ordered as these are, NaN
// above all.
func maxAbsBitsGeneric(v []float32) uint32 {
	largest := uint32(0)
	for _, x := range v {
		largest = max(largest, math.Float32bits(x)&^(1<<31))
	}
	return largest
}
