package parity

import (
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/tensor"
)

// unit is the distance from 1 to the next value of a 16-bit dtype.
func unit(dtype tensor.DType) float64 {
	if dtype == tensor.F16 {
		return 0x1p-10
	}
	return 0x1p-7
}

// arithmetic returns the 16-bit dtype that a reference was computed in, or 0. One tensor shows it, whatever it is stored
// as: a float32 computation does not end in values of BF16 or F16 alone. Others may have been widened since, or summed
// in float32, as the residual stream with residual_in_fp32.
func arithmetic(ref *dump.Dump, theirs *results) (dtype tensor.DType) {
	for name, values := range theirs.values {
		switch found := grid(values); {
		case found == tensor.BF16:
			return found
		case found != 0:
			dtype = found
		}
		if t, _ := ref.Tensor(name); t.DType == tensor.BF16 || dtype == 0 && t.DType == tensor.F16 {
			dtype = t.DType
		}
	}
	return dtype
}

// grid returns the 16-bit dtype that holds all values exactly, or 0: if none does, or if there are too few to say so.
func grid(values []float64) tensor.DType {
	const enough = 16 // of 65,536 float32 values one is a BF16: by chance all of them are in 2^-256 of all cases
	bf16, f16, used := true, true, 0
	for _, v := range values {
		if v == 0 || v-v != 0 {
			continue
		}
		used++
		x := float32(v)
		bf16 = bf16 && float64(tensor.BF16ToF32(tensor.F32ToBF16(x))) == v
		f16 = f16 && float64(tensor.F16ToF32(tensor.F32ToF16(x))) == v
	}
	switch {
	case used < enough || !bf16 && !f16:
		return 0
	case bf16:
		return tensor.BF16
	}
	return tensor.F16
}
