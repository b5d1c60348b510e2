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

	low, sum array // [rows, rank or len(rows)], [rows, Rows]
}

// newChange binds the delta of matrix i of a tensor; nil if there is none.
func newChange(b binder, s *scratch, name string, t tensor.Tensor, i int) *change {
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
		p := d.Products[i]
		up := make([]float32, len(p.Left))
		for i, v := range p.Left {
			up[i] = v * p.Scale
		}
		n.down = kernel.NewMatrix(tensor.Of("", p.Right, p.Rank, d.Cols))
		n.up = kernel.NewMatrix(tensor.Of("", up, d.Rows, p.Rank))
		n.low, n.sum = s.reserve("adapter rank", p.Rank), s.reserve("adapter product", d.Rows)
	}
	if len(n.rows) > 0 {
		n.other = kernel.NewMatrix(tensor.Of("", d.Values, len(n.rows), d.Cols))
		n.low = s.reserve("adapter rank", len(n.rows))
	}
	return n
}

// apply changes y [rows, w.Rows], which is x·wᵀ for x [rows, w.Cols], whose rows are stride apart.
func (n *change) apply(c *chunk, y []float32, width int, x []float32, stride, rows int) {
	pool := c.model.pool
	if n.up.Rows > 0 {
		low, sum := c.scratch[n.low][:rows*n.down.Rows], c.scratch[n.sum][:rows*width]
		kernel.MatMul(pool, low, &n.down, x, stride, rows)
		kernel.MatMul(pool, sum, &n.up, low, n.down.Rows, rows)
		kernel.Add(y[:rows*width], sum)
	}
	if n.factors != nil {
		for row := range rows {
			for i, f := range n.factors {
				y[row*width+i] *= f
			}
		}
	}
	if len(n.rows) == 0 {
		return
	}
	low := c.scratch[n.low][:rows*len(n.rows)]
	kernel.MatMul(pool, low, &n.other, x, stride, rows)
	for row := range rows {
		for i, r := range n.rows {
			y[row*width+r] = low[row*len(n.rows)+i]
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
