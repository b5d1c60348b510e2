package model

import (
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
)

// mlp is a feed-forward block: with a squared ReLU (So and others 2021, Primer, arXiv:2109.08668), or SwiGLU (Shazeer 2020,
// arXiv:2002.05202). The steps are those of forward in NemotronHMLP and GraniteMoeHybridMLP of transformers.
type mlp struct {
	*blocks.MLPSizes

	gate, up, down             weight    // [F, D], or nothing; [F, D], or [2F, D] with the gate's rows first; [D, F]
	gateBias, upBias, downBias []float32 // [F], [F] or [2F], [D], or nil

	gates, wide array // [rows, F], [rows, F or 2F]
}

func newMLP(b binder, s *scratch, sizes *blocks.MLPSizes) *mlp {
	m := reserveMLP(s, sizes)
	m.up, m.upBias = matrix(b, s, sizes.Up+".weight"), optional(b, sizes.Up+".bias", sizes.Bias)
	m.down, m.downBias = matrix(b, s, sizes.Down+".weight"), optional(b, sizes.Down+".bias", sizes.Bias)
	if sizes.Gate != "" {
		m.gate, m.gateBias = matrix(b, s, sizes.Gate+".weight"), optional(b, sizes.Gate+".bias", sizes.Bias)
	}
	return m
}

func reserveMLP(s *scratch, sizes *blocks.MLPSizes) *mlp {
	m := &mlp{MLPSizes: sizes, wide: s.reserve("up_proj", sizes.Rows())}
	if sizes.Gate != "" {
		m.gates = s.reserve("gate_proj", sizes.Width)
	}
	return m
}

// forward implements block.
func (m *mlp) forward(c *chunk) { m.run(c, tokens{c.spans, c.rows}, c.out, c.u) }

// run sets y [rows, D] to what the block makes of x [rows, D].
func (m *mlp) run(c *chunk, t tokens, y, x []float32) {
	pool, wide, F, stride := c.model.pool, c.scratch[m.wide], m.Width, m.Rows()

	// 1. Projection up, and of the gate.                x [rows, D] → [rows, F], [rows, F]
	c.matMulOf(t, wide, &m.up, x, m.up.Cols, m.upBias)

	// 2. Activation: max(up, 0)², or silu(gate)·up.     [rows, F], over up
	switch {
	case m.Fused:
		kernel.SwiGLU(pool, wide[F:], wide, stride, F, t.rows)
		wide = wide[F:]
	case m.Gate != "":
		c.matMulOf(t, c.scratch[m.gates], &m.gate, x, m.gate.Cols, m.gateBias)
		kernel.SwiGLU(pool, wide, c.scratch[m.gates], stride, F, t.rows)
	default:
		kernel.SquaredReLU(pool, wide, stride, F, t.rows)
	}

	// 3. Projection down.                               [rows, F] → y [rows, D]
	c.matMulOf(t, y, &m.down, wide, stride, m.downBias)
}
