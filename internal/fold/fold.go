// Package fold moves the multipliers of a network into its weights, as GGUF files have them, and out again.
package fold

import (
	"math"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Into returns the tensor of a canonical name as a GGUF file of a model of cfg has it, before a change of dtype. It is t if there
// is nothing to multiply it by. The vocabulary of t may be another than that of cfg.
func Into(cfg config.Config, name string, t tensor.Tensor) tensor.Tensor {
	return view(cfg, name, t, false)
}

// OutOf returns the tensor of a canonical name as it was before Into, for a model of cfg, which has the multipliers. Values of which
// Into makes those of t, rounded to its dtype, are preferred, and of them the one with the fewest digits; see undone.
func OutOf(cfg config.Config, name string, t tensor.Tensor) tensor.Tensor {
	return view(cfg, name, t, true)
}

func view(cfg config.Config, name string, t tensor.Tensor, back bool) tensor.Tensor {
	factors := names.Factors(cfg, name)
	if len(factors) == 0 || len(t.Shape) == 0 {
		return t
	}
	c := &coding{from: t, factors: factors, cols: t.Elems() / t.Shape[0], back: back}
	t.Coding, t.Data = c, nil
	return t
}

// coding are the values of a tensor times factors, or divided by them.
type coding struct {
	from    tensor.Tensor
	factors []names.Factor
	cols    int
	back    bool
}

// String implements tensor.Coding.
func (c *coding) String() string { return c.from.Type() }

// Parts implements tensor.Coding.
func (c *coding) Parts() [][]byte { return c.from.Parts() }

// Widen implements tensor.Coding.
func (c *coding) Widen(dst []float32, first int) {
	elems, _ := c.from.DType.Block()
	if c.from.Coding != nil {
		elems = 1
	}
	if start := first / elems * elems; start == first && len(dst)%elems == 0 {
		c.from.Piece(first, first+len(dst)).Widen32(dst)
	} else { // amid blocks
		whole := make([]float32, (first+len(dst)+elems-1)/elems*elems-start)
		c.from.Piece(start, start+len(whole)).Widen32(whole)
		copy(dst, whole[first-start:])
	}
	for len(dst) > 0 {
		row := first / c.cols
		n := min(len(dst), (row+1)*c.cols-first)
		if c.back {
			c.divide(dst[:n], row)
		} else {
			c.multiply(dst[:n], row)
		}
		dst, first = dst[n:], first+n
	}
}

// multiply does what the converter does: each product is rounded to float32, or to float16 if that is what the tensor has.
func (c *coding) multiply(v []float32, row int) {
	for _, f := range c.factors {
		if row < f.From || row >= f.End {
			continue
		}
		for i := range v {
			if v[i] *= f.By; c.from.DType == tensor.F16 {
				v[i] = tensor.F16ToF32(tensor.F32ToF16(v[i]))
			}
		}
	}
}

// divide undoes multiply.
func (c *coding) divide(v []float32, row int) {
	by := 1.0
	for _, f := range c.factors {
		if row >= f.From && row < f.End {
			by *= float64(f.By)
		}
	}
	if by == 1 {
		return
	}
	for i, x := range v {
		v[i] = c.undone(x, float64(x)/by, row)
	}
}

// undone returns a value near quotient that multiply turns into x: of bfloat16 or float16, as which most weights are published, or
// float32. If there is none, as after quantizing, it is quotient.
func (c *coding) undone(x float32, quotient float64, row int) float32 {
	nearest := float32(quotient)
	low, high := math.Nextafter32(nearest, float32(math.Inf(-1))), math.Nextafter32(nearest, float32(math.Inf(1)))
	short := tensor.BF16ToF32(tensor.F32ToBF16(nearest))
	for _, v := range [...]float32{short, tensor.F16ToF32(tensor.F32ToF16(nearest)), nearest, low, high} {
		tried := [1]float32{v}
		c.multiply(tried[:], row)
		if c.rounded(tried[0]) == x {
			return v
		}
	}
	return nearest
}

// The values of a tensor that Returns looks at: so many of so many of its rows.
const sampledRows, sampledCols = 64, 64

// Returns reports whether OutOf gives a tensor back that Into has made and that is then stored in a dtype, judged by some of its values.
// Two values may become one, and then no rule could: about every tenth float32 is lost.
func Returns(cfg config.Config, name string, t tensor.Tensor, stored tensor.DType) bool {
	factors := names.Factors(cfg, name)
	if len(factors) == 0 || len(t.Shape) == 0 || t.Elems() == 0 {
		return true
	}
	cols := t.Elems() / t.Shape[0]
	into := &coding{from: t, factors: factors, cols: cols}
	back := &coding{from: tensor.Tensor{DType: stored}, factors: factors, cols: cols, back: true}
	for i := range min(sampledRows, t.Shape[0]) {
		row := i * t.Shape[0] / min(sampledRows, t.Shape[0])
		was := make([]float32, min(sampledCols, cols))
		is := make([]float32, len(was))
		t.Piece(row*cols, row*cols+len(was)).Widen32(was)
		into.Widen(is, row*cols)
		for j, v := range is {
			is[j] = back.rounded(v)
		}
		back.divide(is, row)
		if !slices.Equal(is, was) {
			return false
		}
	}
	return true
}

// rounded returns v in the dtype of the tensor.
func (c *coding) rounded(v float32) float32 {
	switch c.from.DType {
	case tensor.BF16:
		return tensor.BF16ToF32(tensor.F32ToBF16(v))
	case tensor.F16:
		return tensor.F16ToF32(tensor.F32ToF16(v))
	}
	return v
}
