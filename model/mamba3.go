package model

import (
	"slices"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
)

// mamba3 is the mixer of Mamba-3 (Lahoti and others 2026), with one input and output for the states of a head (SISO) or several
// (MIMO). kernel.Trapezoid is its recurrence. There is no convolution: the trapezoidal rule reads the token before. Steps and
// names are those of forward in mamba_ssm/modules/mamba3.py.
type mamba3 struct {
	*blocks.Mamba3Sizes

	inProj  weight    // [2I+2RGN+3H+A, D]: rows of z, x, B, C, dt, A, trap, angles
	normBC  []float32 // [2RGN], the weights of the norms of B, then of C, repeated
	partsBC []int     // N for each of these
	scan    kernel.Trapezoid
	outProj weight // [D, I]

	proj, turns array // [B·T, 2I+2RGN+3H+A], [B·T, 2, A]

	turning, recurring channelFunc // turn and recur
}

func newMamba3(b binder, s *scratch, sizes *blocks.Mamba3Sizes) *mamba3 {
	m := &mamba3{
		Mamba3Sizes: sizes,
		inProj:      matrix(b, "in_proj.weight"),
		scan: kernel.Trapezoid{
			Heads: sizes.Heads, HeadDim: sizes.HeadDim, Groups: sizes.Groups, States: sizes.StateSize,
			Rank: sizes.Rank, Angles: sizes.Angles, Halves: sizes.MIMO,
			DtBias: vector(b, "dt_bias"), D: vector(b, "D"), Floor: sizes.Floor,
			BBias: vector(b, "B_bias"), CBias: vector(b, "C_bias"),
			MixX: optional(b, "mimo_x", sizes.MIMO), MixZ: optional(b, "mimo_z", sizes.MIMO), MixY: optional(b, "mimo_o", sizes.MIMO),
			Norm: optional(b, "norm.weight", sizes.OutNorm), NormEps: sizes.NormEps,
		},
		outProj: matrix(b, "out_proj.weight"),
		proj:    s.reserve("in_proj", sizes.Projected()),
		turns:   s.reserve("angles", 2*sizes.Angles),
	}
	if b.Err() == nil {
		m.scan.Ready()
	}
	each := sizes.Rank * sizes.Groups
	m.normBC = slices.Concat(slices.Repeat(vector(b, "B_norm.weight"), each), slices.Repeat(vector(b, "C_norm.weight"), each))
	m.partsBC = slices.Repeat([]int{sizes.StateSize}, 2*each)
	m.turning, m.recurring = m.turn, m.recur
	return m
}

// forward implements block.
func (m *mamba3) forward(c *chunk) {
	I, width, proj := m.Inner(), m.Projected(), c.scratch[m.proj]

	// 1. Projection.                                    u [B·T, D] → z, x [B·T, I], B, C [B·T, R, G, N], dt, A, trap [B·T, H],
	//                                                   angles [B·T, A]
	c.matMul(proj, &m.inProj, c.u, m.inProj.Cols, nil)

	// 2. RMS norms of B and C.                          [B·T, R, G, N], in place
	c.normRows(rowNorm{y: proj[2*I:], x: proj[2*I:], stride: width, parts: m.partsBC, weight: m.normBC, eps: m.NormEps})

	// 3. How fast the states turn, which all heads share.          angles [B·T, A] → π·tanh [B·T, 2, A]
	c.each(m.Angles, 8, m.turning)

	// 4. Discretisation, rotation and recurrence of each head, its output gated.           [B·T, I], over x
	c.each(m.Heads, 1, m.recurring)

	// 5. Projection back.                               y [B·T, I] → out [B·T, D]
	c.matMul(c.out, &m.outProj, proj[I:], width, nil)
}

// turn is step 3 for the angles lo to hi of one sequence.
func (m *mamba3) turn(c *chunk, row span, lo, hi int) {
	rows := m.rows(c, row)
	m.scan.TurnRates(&rows, lo, hi)
}

// recur is step 4 for the heads lo to hi of one sequence.
func (m *mamba3) recur(c *chunk, row span, lo, hi int) {
	rows := m.rows(c, row)
	m.scan.Run(&rows, &kernel.TrapezoidState{
		Angle: c.states[blocks.Angle].Of(row.seq), SSM: c.states[blocks.SSM3].Of(row.seq),
		K: c.states[blocks.LastK].Of(row.seq), X: c.states[blocks.LastX].Of(row.seq),
	}, lo, hi)
}

// rows are those of one sequence: x is read and overwritten with y.
func (m *mamba3) rows(c *chunk, row span) kernel.TrapezoidRows {
	width := m.Projected()
	return kernel.TrapezoidRows{
		Tokens: row.tokens, Rows: c.scratch[m.proj][row.from*width:], Stride: width, Turns: c.scratch[m.turns][2*row.from*m.Angles:],
	}
}
