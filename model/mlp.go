package model

import (
	"cmp"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
)

// mlp is a feed-forward block: with a squared ReLU (So and others 2021, Primer, arXiv:2109.08668) or GELU, or SwiGLU (Shazeer 2020,
// arXiv:2002.05202). The steps are those of forward in NemotronHMLP and GraniteMoeHybridMLP of transformers.
type mlp struct {
	*blocks.MLPSizes

	gate, up, down             weight    // [F, D], or nothing; [F, D], or [2F, D] with the gate's rows first; [D, F]
	gateBias, upBias, downBias []float32 // [F], [F], [D], or nil
	fused                      bool      // up has the gate's rows
	more                       *lowRank  // of a block that layers share, or nil

	wide array // [rows, F], or [rows, 2F] with the gate's values first
}

// newMLP binds an MLP; a token may pass a number of those that share its arrays.
func newMLP(b binder, s *scratch, sizes *blocks.MLPSizes, passed int) *mlp {
	m := &mlp{MLPSizes: sizes}
	m.down, m.downBias = matrix(b, sizes.Down+".weight"), optional(b, sizes.Down+".bias", sizes.Bias)
	m.wide = s.reserveCopies("up_proj", m.stride(), passed)
	if sizes.Both != "" {
		m.up, m.upBias, m.fused = matrix(b, sizes.Both+".weight"), optional(b, sizes.Both+".bias", sizes.Bias), true
		m.more = newLowRank(b, s, sizes.Adapter)
		return m
	}
	if sizes.Gate != "" && !sizes.Bias {
		if m.up, m.fused = together(b, sizes.Gate+".weight", sizes.Up+".weight"); m.fused {
			return m
		}
	}
	m.up, m.upBias = matrix(b, sizes.Up+".weight"), optional(b, sizes.Up+".bias", sizes.Bias)
	if sizes.Gate != "" {
		m.gate, m.gateBias = matrix(b, sizes.Gate+".weight"), optional(b, sizes.Gate+".bias", sizes.Bias)
	}
	return m
}

// stride returns the width of a row of wide.
func (m *mlp) stride() int {
	if m.Gated() {
		return 2 * m.Width
	}
	return m.Width
}

// part is an MLP with the rows that it is for, from a row of the arrays on.
type part struct {
	*mlp
	from int
	tokens
}

// forward implements block.
func (m *mlp) forward(c *chunk) { m.run(c, c.out, c.u) }

// run sets y [B·T, D] to what the block makes of x [B·T, D].
func (m *mlp) run(c *chunk, y, x []float32) {
	c.parts = append(c.parts[:0], part{m, 0, tokens{c.spans, c.rows}})
	feedForward(c, y, x)
}

// feedForward sets the rows of y [rows, D] to what the MLPs in c.parts make of those of x [rows, D]. They are of one size, and
// their rows follow each other.
func feedForward(c *chunk, y, x []float32) {
	m, last := c.parts[0].mlp, &c.parts[len(c.parts)-1]
	pool, D, F, stride, rows := c.model.pool, m.down.Rows, m.Width, m.stride(), last.from+last.rows
	gates := c.scratch[m.wide][:rows*stride]
	wide := gates[stride-F:]

	// 1. Projection up, and of the gate.                x [rows, D] → [rows, F], [rows, F]
	for i := range c.parts {
		p := &c.parts[i]
		in, up := x[p.from*D:], wide[p.from*stride:]
		if m.Gated() && !p.fused {
			c.product(p.tokens, gates[p.from*stride:], stride, &p.gate, in, D, p.gateBias)
		}
		if p.fused {
			up = gates[p.from*stride:]
		}
		c.product(p.tokens, up, stride, &p.up, in, D, p.upBias)
	}
	c.multiply()

	m.more.add(c, gates) // of a block by itself, which reads c.u

	// 2. Activation: max(up, 0)² or gelu(up), or silu(scale·gate)·up or gelu(gate)·up.
	//                                                   [rows, F], over up
	switch {
	case m.GELU && !m.Gated():
		kernel.GELU(pool, wide, stride, F, rows)
	case m.GELU:
		kernel.GeGLU(pool, wide, gates, stride, F, rows)
	case m.Gated():
		kernel.SwiGLU(pool, wide, gates, cmp.Or(m.GateScale, 1), stride, F, rows)
	default:
		kernel.SquaredReLU(pool, wide, stride, F, rows)
	}

	// 3. Projection down.                               [rows, F] → y [rows, D]
	for i := range c.parts {
		p := &c.parts[i]
		c.product(p.tokens, y[p.from*D:], D, &p.down, wide[p.from*stride:], stride, p.downBias)
	}
	c.multiply()
}
