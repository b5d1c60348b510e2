package model

import "github.com/gomamba/gomamba/internal/kernel"

// lowRank is a product of two narrow matrices that is added to a projection (Hu and others 2021, arXiv:2106.09685). It is a part of
// the model: where layers share a block, each has its own, and so makes something else of it. An adapter of PEFT is a change.
type lowRank struct {
	down, up weight // [r, in], [out, r]

	low, sum array // [rows, r], [rows, out]
}

// newLowRank binds the two modules 0 and 1 within another; nil if it has no name.
func newLowRank(b binder, s *scratch, name string) *lowRank {
	if name == "" {
		return nil
	}
	m := &lowRank{down: matrix(b, name+".0.weight"), up: matrix(b, name+".1.weight")}
	m.low, m.sum = s.reserve("lowrank.0", m.down.Rows), s.reserve("lowrank.1", m.up.Rows)
	return m
}

// add adds up·(down·x) to y [rows, out], for the rows of c.u.
func (m *lowRank) add(c *chunk, y []float32) {
	if m == nil {
		return
	}
	low, sum := c.scratch[m.low], c.scratch[m.sum]
	c.matMul(low, &m.down, c.u, m.down.Cols, nil)
	c.matMul(sum, &m.up, low, m.down.Rows, nil)
	n := c.rows * m.up.Rows
	kernel.Add(y[:n], sum[:n])
}
