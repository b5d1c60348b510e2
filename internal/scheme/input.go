package scheme

import (
	"slices"

	"github.com/gomamba/gomamba/tensor"
)

// partInput is what ModelOpt multiplies the input of a product by, column by column, before anything else
// (tensor_quantizer.py, forward): AWQ and SmoothQuant divided the weight by it.
const partInput = "pre_quant_scale"

// inputParts are those of all programs.
var inputParts = []string{partInput, "_act_pre_scale"}

// withInput returns the coding of a weight with the factors of a product's input in it: (x·s)·W is x·(s·W). Each element is rounded
// as it is without them, then multiplied by the factor of its column and rounded again (vllm_fakequant_hf.py folds them so too).
func (m *module) withInput(c tensor.Coding, shape []int) (tensor.Coding, error) {
	i := slices.IndexFunc(inputParts, func(part string) bool { return m.has(part) })
	if i < 0 {
		return c, nil
	}
	cols := shape[len(shape)-1]
	factors, err := m.numbers(inputParts[i], scaleTypes, []int{cols})
	return &timesInput{c, factors, cols}, err
}

// timesInput is a coding whose columns are multiplied by factors. That it may be one of tensor.Blocks is hidden.
type timesInput struct {
	tensor.Coding
	factors numbers
	cols    int
}

func (c *timesInput) Parts() [][]byte {
	return append(slices.Clone(c.Coding.Parts()), c.factors.data)
}

func (c *timesInput) Widen(dst []float32, first int) {
	c.Coding.Widen(dst, first)
	runs(dst, first, c.cols, c.cols, func(dst []float32, _, col int) {
		var factors [most]float32
		c.factors.fill(factors[:len(dst)], col)
		for i, f := range factors[:len(dst)] {
			dst[i] *= f
		}
	})
}
