package delta

import "github.com/gomamba/gomamba/tensor"

// Coded returns base as d changes it, which is computed as it is read. Its dtype is that of base.
func (d *Delta) Coded(base tensor.Tensor) tensor.Tensor {
	t := base
	t.Data, t.Coding = nil, &coding{base, d}
	return t
}

// coding is a tensor.Coding.
type coding struct {
	base  tensor.Tensor
	delta *Delta
}

func (c *coding) String() string { return c.base.Type() }

func (c *coding) Parts() [][]byte { return c.base.Parts() }

// Widen leaves a value that ceases to be finite as it is, for whoever reads it to find.
func (c *coding) Widen(dst []float32, first int) { _ = c.delta.Widen(dst, c.base, first) }
