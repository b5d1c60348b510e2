package model

import (
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// change is what an adapter makes of the product with a matrix w [Rows, Cols], without changing w:
// y = factors ⊙ (w·x + up·(down·x)), and in some rows another product.
type change struct {
	down    kernel.Matrix // [rank, Cols], or nothing
	up      kernel.Matrix // [Rows, rank], times the scale
	factors []float32     // [Rows], or nil

	rows  []int         // that have other values
	other kernel.Matrix // [len(rows), Cols]
}

// newChange binds the delta of a tensor of one matrix; nil if there is none.
func newChange(b binder, name string, t tensor.Tensor) *change {
	d := b.Delta(name)
	if d == nil {
		return nil
	}
	n := &change{rows: d.Replaced}
	var err error
	if n.factors, err = d.Factors(t); err != nil || d.ByColumn {
		b.Fail(name, err)
		return nil
	}
	if len(d.Products) > 0 {
		p := d.Products[0]
		up := make([]float32, len(p.Left))
		for i, v := range p.Left {
			up[i] = v * p.Scale
		}
		n.down = kernel.NewMatrix(tensor.Of("", p.Right, p.Rank, d.Cols))
		n.up = kernel.NewMatrix(tensor.Of("", up, d.Rows, p.Rank))
	}
	if len(n.rows) > 0 {
		n.other = kernel.NewMatrix(tensor.Of("", d.Values, len(n.rows), d.Cols))
	}
	return n
}

// apply changes what a product with w gave.
func (n *change) apply(c *chunk, p *kernel.Product) {
	pool, width := c.model.pool, p.W.Rows
	if n.up.Rows > 0 {
		c.low, c.sum = resized(c.low, p.Tokens*n.down.Rows), resized(c.sum, p.Tokens*width)
		kernel.MatMul(pool, c.low, &n.down, p.X, p.XStride, p.Tokens)
		kernel.MatMul(pool, c.sum, &n.up, c.low, n.down.Rows, p.Tokens)
	}
	for row := range p.Tokens {
		y := p.Y[row*p.YStride:][:width]
		if n.up.Rows > 0 {
			kernel.Add(y, c.sum[row*width:][:width])
		}
		for i, f := range n.factors {
			y[i] *= f
		}
	}
	if len(n.rows) == 0 {
		return
	}
	c.low = resized(c.low, p.Tokens*len(n.rows))
	kernel.MatMul(pool, c.low, &n.other, p.X, p.XStride, p.Tokens)
	for row := range p.Tokens {
		for i, r := range n.rows {
			p.Y[row*p.YStride+r] = c.low[row*len(n.rows)+i]
		}
	}
}

// table is a matrix of which single rows are read.
type table struct {
	kernel.Matrix
	delta *delta.Delta
	base  tensor.Tensor
}

func newTable(b binder, name string) table {
	t, d := b.Take(name), b.Delta(name)
	if b.Err() != nil {
		return table{}
	}
	if _, err := d.Factors(t); err != nil {
		b.Fail(name, err)
	}
	return table{kernel.NewMatrix(t), d, t}
}

// Row sets dst to row i.
func (t *table) Row(dst []float32, i int) {
	t.Matrix.Row(dst, i)
	if t.delta != nil {
		_ = t.delta.Apply(dst, t.base, i*t.Cols) // what is not finite shows in the results
	}
}
