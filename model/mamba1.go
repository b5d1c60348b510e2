package model

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/loader"
)

// mamba1 is the mixer of Mamba-1: the block of figure 3 around Algorithm 2 (SSM + selection) of the Mamba paper.
// The steps below carry the numbers of slow_forward in transformers' models/mamba/modeling_mamba.py.
type mamba1 struct {
	inner, states, rank int // I, N, R

	inProj  kernel.Matrix // [2I, D]: rows of x, then rows of z
	inBias  []float32     // [2I], or nil
	conv    kernel.Conv   // [I, K] and bias [I]
	xProj   kernel.Matrix // [R+2N, I]: rows of dt, then of B, then of C
	dtProj  kernel.Matrix // [I, R]
	dtBias  []float32     // [I]
	scan    kernel.Scan   // A [I, N] and D [I]
	outProj kernel.Matrix // [D, I]
	outBias []float32     // [D], or nil
}

func newMamba1(b *loader.Binder, cfg *config.MambaConfig) *mamba1 {
	m := &mamba1{
		inner: cfg.DInner(), states: cfg.StateSize, rank: cfg.TimeStepRank,
		inProj:  matrix(b, "in_proj.weight"),
		inBias:  optional(b, "in_proj.bias", cfg.UseBias),
		xProj:   matrix(b, "x_proj.weight"),
		dtProj:  matrix(b, "dt_proj.weight"),
		dtBias:  vector(b, "dt_proj.bias"),
		scan:    kernel.Scan{States: cfg.StateSize, D: vector(b, "D")},
		outProj: matrix(b, "out_proj.weight"),
		outBias: optional(b, "out_proj.bias", cfg.UseBias),
	}
	taps, bias := vector(b, "conv1d.weight"), optional(b, "conv1d.bias", cfg.UseConvBias) // [I, 1, K], [I]
	aLog := b.Take("A_log")
	if b.Err() == nil {
		m.conv = kernel.NewConv(taps, bias, m.inner)
		m.scan.A = make([]float32, m.inner*m.states)
		tensor.WidenF32(m.scan.A, aLog.DType, aLog.Data)
		kernel.NegExp(m.scan.A, m.scan.A) // A = -exp(A_log)
	}
	return m
}

// forward maps the normed inputs s.u [B·T, D] of a chunk to s.out [B·T, D], moving the states of the layer on.
// Padding reads as u = 0 and leaves the states alone.
func (m *mamba1) forward(c *chunk, s *scratch, st layerState) {
	I, N, R := m.inner, m.states, m.rank

	// 1. Projection.                                                    u [B·T, D] → x, z [B·T, I]
	c.matMul(s.xz, &m.inProj, s.u, m.inProj.Cols, m.inBias)
	x, z := s.xz, s.xz[I:] // interleaved: token t of each is at t·2I

	// 2. Causal convolution and SiLU.                                   x [B·T, I] → xc [B·T, I]
	c.eachChannel(I, func(row span, lo, hi int) {
		state := st.conv[row.seq*I*m.conv.K:][:I*m.conv.K]
		m.conv.Run(s.xc[row.from*I:], I, x[row.from*2*I:], 2*I, state, row.tokens, lo, hi)
	})
	c.clearPadding(s.xc, I)

	// 3.a Selection: step size, input and output map of each token.     xc [B·T, I] → dt, B, C [B·T, R + N + N]
	c.matMul(s.dbc, &m.xProj, s.xc, I, nil)
	width := R + 2*N

	// 3.b Discretisation: dt = softplus(dt_proj(dt) + bias).            dt [B·T, R] → [B·T, I]
	// 3.c Recurrence h = exp(dt·A)·h + dt·B·x, output y = C·h + D·x,
	//     gated with SiLU(z).                                           [B·T, I], over xc
	c.matMul(s.dt, &m.dtProj, s.dbc, width, nil)
	c.eachChannel(I, func(row span, lo, hi int) {
		kernel.Softplus(s.dt[row.from*I:], I, m.dtBias, row.tokens, lo, hi)
		if !c.scanByTime {
			m.scan.Run(m.rows(s, row, z), st.ssm[row.seq*I*N:][:I*N], lo, hi)
		}
	})
	if c.scanByTime {
		for _, row := range c.spans {
			m.scan.RunParallel(c.pool, m.rows(s, row, z), st.ssm[row.seq*I*N:][:I*N], I)
		}
	}

	// 4. Projection back.                                               y [B·T, I] → out [B·T, D]
	c.matMul(s.out, &m.outProj, s.xc, I, m.outBias)
}

// rows lays out the scan of one sequence: xc is read and overwritten with y.
func (m *mamba1) rows(s *scratch, row span, z []float32) *kernel.ScanRows {
	I, R, width := m.inner, m.rank, m.rank+2*m.states
	dbc := s.dbc[row.from*width:]
	return &kernel.ScanRows{
		Tokens: row.tokens,
		X:      s.xc[row.from*I:], XStride: I,
		Dt: s.dt[row.from*I:], DtStride: I,
		B: dbc[R:], BStride: width,
		C: dbc[R+m.states:], CStride: width,
		Z: z[row.from*2*I:], ZStride: 2 * I,
		Y: s.xc[row.from*I:], YStride: I,
	}
}
