//go:build !purego

package kernel

import "github.com/gomamba/gomamba/internal/tensor"

// narrow encodes whole blocks where there is assembly for the dtype, and returns how many elements.
func narrow(dst []byte, dtype tensor.DType, src []float32) int {
	whole := len(src) &^ (asmCols - 1)
	if dtype == tensor.Q8_0 {
		whole = len(src) // of whole blocks, which are longer
	}
	if !useAVX2 || whole == 0 {
		return 0
	}
	switch _ = dst[:dtype.Bytes(whole)]; dtype {
	case tensor.F16:
		narrowF16AVX2(&dst[0], &src[0], whole)
	case tensor.BF16:
		narrowBF16AVX2(&dst[0], &src[0], whole)
	case tensor.Q8_0:
		quantizeQ8AVX2(&dst[0], &src[0], whole)
	default:
		return 0
	}
	return whole
}

func maxAbsBits(v []float32) uint32 {
	whole := len(v) &^ (asmCols - 1)
	if !useAVX2 || whole == 0 {
		return maxAbsBitsGeneric(v)
	}
	return max(maxAbsBitsAVX2(&v[0], whole), maxAbsBitsGeneric(v[whole:]))
}
