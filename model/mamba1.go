package model

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// mamba1 is the mixer of Mamba-1: the block of figure 3 around Algorithm 2 (SSM + selection) of the Mamba paper.
// The steps below carry the numbers of slow_forward in transformers' models/mamba/modeling_mamba.py.
// That of FalconMamba (models/falcon_mamba/modeling_falcon_mamba.py) is the same with three norms.
type mamba1 struct {
	inner, states, rank int // I, N, R

	falcon  bool    // norm dt, B and C
	normed  []int   // their widths R, N, N
	normEps float64 // of these norms

	inProj  kernel.Matrix // [2I, D]: rows of x, then rows of z
	inBias  []float32     // [2I], or nil
	conv    kernel.Conv   // [I, K] and bias [I]
	xProj   kernel.Matrix // [R+2N, I]: rows of dt, then of B, then of C
	dtProj  kernel.Matrix // [I, R]
	scan    kernel.Scan   // A·log2 e [I, N], D [I], the bias of dt [I]
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
		scan:    kernel.Scan{States: cfg.StateSize, D: vector(b, "D"), DtBias: vector(b, "dt_proj.bias")},
		outProj: matrix(b, "out_proj.weight"),
		outBias: optional(b, "out_proj.bias", cfg.UseBias),
	}
	taps, bias := vector(b, "conv1d.weight"), optional(b, "conv1d.bias", cfg.UseConvBias) // [I, 1, K], [I]
	aLog := b.Take("A_log")
	if b.Err() == nil {
		m.conv = kernel.NewConv(taps, bias, m.inner)
		m.scan.Rate = make([]float32, m.inner*m.states)
		tensor.WidenF32(m.scan.Rate, aLog.DType, aLog.Data)
		kernel.DecayRates(m.scan.Rate, m.scan.Rate)
	}
	return m
}

// newFalcon binds the mixer of FalconMamba, which has no tensors but those of Mamba-1.
func newFalcon(b *loader.Binder, cfg *config.FalconMambaConfig) *mamba1 {
	m := newMamba1(b, &cfg.MambaConfig)
	m.falcon, m.normEps = true, cfg.MixerRMSEps
	m.normed = []int{m.rank, m.states, m.states}
	return m
}

func (m *mamba1) widths() widths {
	return widths{proj: 2 * m.inner, conv: m.inner, dbc: m.rank + 2*m.states, dt: m.inner}
}

// forward implements mixer.
func (m *mamba1) forward(c *chunk) {
	I, N, R := m.inner, m.states, m.rank

	// 1. Projection.                                                    u [B·T, D] → x, z [B·T, I]
	c.matMul(c.proj, &m.inProj, c.u, m.inProj.Cols, m.inBias) // interleaved: token t of x is at t·2I, of z I later

	// 2. Causal convolution and SiLU.                                   x [B·T, I] → x [B·T, I]
	c.convolve()
	c.clearPadding(c.conv, I)

	// 3.a Selection: step size, input and output map of each token.     x [B·T, I] → dt, B, C [B·T, R + N + N]
	//     FalconMamba norms each of the three.
	c.matMul(c.dbc, &m.xProj, c.conv, I, nil)
	width := R + 2*N
	if m.falcon {
		c.normRows(rowNorm{y: c.dbc, x: c.dbc, stride: width, parts: m.normed, eps: m.normEps})
	}

	// 3.b Discretisation: dt = softplus(dt_proj(dt) + bias).            dt [B·T, R] → [B·T, I]
	// 3.c Recurrence h = exp(dt·A)·h + dt·B·x, output y = C·h + D·x,
	//     gated with SiLU(z).                                           [B·T, I], over x
	c.matMul(c.dt, &m.dtProj, c.dbc, width, nil)
	c.recur()

	// 4. Projection back.                                               y [B·T, I] → out [B·T, D]
	c.matMul(c.out, &m.outProj, c.conv, I, m.outBias)
}

// convolve implements mixer: step 2.
func (m *mamba1) convolve(c *chunk, row span, lo, hi int) {
	I, K := m.inner, m.conv.K
	m.conv.Run(c.conv[row.from*I:], I, c.proj[row.from*2*I:], 2*I, c.state.conv[row.seq*I*K:][:I*K], row.tokens, lo, hi)
}

// recur implements mixer: the rest of 3.b, and 3.c.
func (m *mamba1) recur(c *chunk, row span, lo, hi int) {
	rows := m.rows(c, row)
	m.scan.Run(&rows, m.ssm(c, row), lo, hi)
}

// recurrence implements mixer.
func (m *mamba1) recurrence(c *chunk, row span) (kernel.Recurrence, kernel.ScanRows, []float32) {
	return &m.scan, m.rows(c, row), m.ssm(c, row)
}

// ssm is the SSM state of one sequence [I, N].
func (m *mamba1) ssm(c *chunk, row span) []float32 {
	size := m.inner * m.states
	return c.state.ssm[row.seq*size:][:size]
}

// rows lays out the scan of one sequence: x is read and overwritten with y.
func (m *mamba1) rows(c *chunk, row span) kernel.ScanRows {
	I, R, width := m.inner, m.rank, m.rank+2*m.states
	dbc := c.dbc[row.from*width:]
	return kernel.ScanRows{
		Tokens: row.tokens,
		X:      c.conv[row.from*I:], XStride: I,
		Dt: c.dt[row.from*I:], DtStride: I,
		B: dbc[R:], BStride: width,
		C: dbc[R+m.states:], CStride: width,
		Z: c.proj[row.from*2*I+I:], ZStride: 2 * I,
		Y: c.conv[row.from*I:], YStride: I,
	}
}
