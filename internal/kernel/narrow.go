package kernel

import (
	"math"

	"github.com/gomamba/gomamba/internal/tensor"
)

// Narrow encodes src as little-endian elements of dtype into dst, as tensor.NarrowF32 does.
func Narrow(dst []byte, dtype tensor.DType, src []float32) {
	if done := narrow(dst, dtype, src); done < len(src) {
		tensor.NarrowF32(dst[dtype.Bytes(done):], dtype, src[done:])
	}
}

// MaxAbs returns the largest magnitude among v, 0 for none and NaN if there is one.
func MaxAbs(v []float32) float32 { return math.Float32frombits(maxAbsBits(v)) }

// maxAbsBitsGeneric returns the largest of the bits of v without their signs: magnitudes are ordered as these are, NaN
// above all.
func maxAbsBitsGeneric(v []float32) uint32 {
	largest := uint32(0)
	for _, x := range v {
		largest = max(largest, math.Float32bits(x)&^(1<<31))
	}
	return largest
}
