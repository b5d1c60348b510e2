package model

import (
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
)

// mamba1 is the mixer of Mamba-1: the block of figure 3 around Algorithm 2 (SSM + selection) of the Mamba paper.
// The steps below carry the numbers of slow_forward in transformers' models/mamba/modeling_mamba.py.
// That of FalconMamba (models/falcon_mamba/modeling_falcon_mamba.py) is the same with three norms, that of Jamba
// (models/jamba/modeling_jamba.py) with norms that have weights.
type mamba1 struct {
	*blocks.Mamba1Sizes

	inProj  weight      // [2I, D]: rows of x, then rows of z
	inBias  []float32   // [2I], or nil
	conv    kernel.Conv // [I, K] and bias [I]
	xProj   weight      // [R+2N, I]: rows of dt, then of B, then of C
	parts   []int       // R, N, N: the widths of these
	norms   []float32   // [R+2N], the weights of their norms, or nil
	dtProj  weight      // [I, R]
	scan    kernel.Scan // A·log2 e [I, N], D [I], the bias of dt [I]
	outProj weight      // [D, I]
	outBias []float32   // [D], or nil

	xz, x, dbc, dt array // [B·T, 2I], [B·T, I], [B·T, R+2N], [B·T, I]

	convolving, recurring channelFunc // convolve and recur
}

func newMamba1(b binder, s *scratch, sizes *blocks.Mamba1Sizes) *mamba1 {
	m := &mamba1{
		Mamba1Sizes: sizes,
		inProj:      matrix(b, "in_proj.weight"),
		inBias:      optional(b, "in_proj.bias", sizes.Bias),
		xProj:       matrix(b, "x_proj.weight"),
		parts:       []int{sizes.Rank, sizes.StateSize, sizes.StateSize},
		dtProj:      matrix(b, "dt_proj.weight"),
		scan:        kernel.Scan{States: sizes.StateSize, D: vector(b, "D"), DtBias: vector(b, "dt_proj.bias")},
		outProj:     matrix(b, "out_proj.weight"),
		outBias:     optional(b, "out_proj.bias", sizes.Bias),
	}
	for _, name := range sizes.Norms {
		m.norms = append(m.norms, vector(b, name)...)
	}
	m.xz, m.x = s.reserve("in_proj", 2*m.Inner), s.reserve("conv1d", m.Inner)
	m.dbc, m.dt = s.reserve("x_proj", m.Rank+2*m.StateSize), s.reserve("dt_proj", m.Inner)
	m.convolving, m.recurring = m.convolve, m.recur
	taps, bias := vector(b, "conv1d.weight"), optional(b, "conv1d.bias", sizes.ConvBias) // [I, 1, K], [I]
	aLog := vector(b, "A_log")                                                           // [I, N]
	if b.Err() == nil {
		m.conv = kernel.NewConv(taps, bias, m.Inner)
		m.scan.Rate = make([]float32, m.Inner*m.StateSize)
		kernel.DecayRates(m.scan.Rate, aLog)
	}
	return m
}

// forward implements block.
func (m *mamba1) forward(c *chunk) {
	I, N, R := m.Inner, m.StateSize, m.Rank
	xz, x, dbc, dt := c.scratch[m.xz], c.scratch[m.x], c.scratch[m.dbc], c.scratch[m.dt]

	// 1. Projection.                                                    u [B·T, D] → x, z [B·T, I]
	c.matMul(xz, &m.inProj, c.u, m.inProj.Cols, m.inBias) // interleaved: token t of x is at t·2I, of z I later

	// 2. Causal convolution and SiLU.                                   x [B·T, I] → x [B·T, I]
	c.eachChannel(I, m.convolving)
	c.clearPadding(x, I)

	// 3.a Selection: step size, input and output map of each token.     x [B·T, I] → dt, B, C [B·T, R + N + N]
	//     FalconMamba and Jamba norm each of the three.
	c.matMul(dbc, &m.xProj, x, I, nil)
	width := R + 2*N
	if m.Normed {
		c.normRows(rowNorm{y: dbc, x: dbc, stride: width, parts: m.parts, weight: m.norms, eps: m.NormEps})
	}

	// 3.b Discretisation: dt = softplus(dt_proj(dt) + bias).            dt [B·T, R] → [B·T, I]
	// 3.c Recurrence h = exp(dt·A)·h + dt·B·x, output y = C·h + D·x,
	//     gated with SiLU(z).                                           [B·T, I], over x
	c.matMul(dt, &m.dtProj, dbc, width, nil)
	c.recur(m, 1, I, m.recurring)

	// 4. Projection back.                                               y [B·T, I] → out [B·T, D]
	c.matMul(c.out, &m.outProj, x, I, m.outBias)
}

// convolve is step 2 for the channels lo to hi of one sequence.
func (m *mamba1) convolve(c *chunk, row span, lo, hi int) {
	I, xz, x := m.Inner, c.scratch[m.xz], c.scratch[m.x]
	m.conv.Run(x[row.from*I:], I, xz[row.from*2*I:], 2*I, c.states[blocks.Conv].Of(row.seq), row.tokens, lo, hi)
}

// recur is the rest of 3.b, and 3.c, for the channels lo to hi of one sequence.
func (m *mamba1) recur(c *chunk, row span, lo, hi int) {
	rows := m.rows(c, row)
	m.scan.Run(&rows, c.states[blocks.SSM].Of(row.seq), lo, hi)
}

// recurrence implements scanner.
func (m *mamba1) recurrence(c *chunk, row span, _ int) (kernel.Recurrence, kernel.ScanRows, []float32) {
	return &m.scan, m.rows(c, row), c.states[blocks.SSM].Of(row.seq)
}

// rows lays out the scan of one sequence: x is read and overwritten with y.
func (m *mamba1) rows(c *chunk, row span) kernel.ScanRows {
	I, R, width := m.Inner, m.Rank, m.Rank+2*m.StateSize
	xz, x, dbc := c.scratch[m.xz][row.from*2*I:], c.scratch[m.x][row.from*I:], c.scratch[m.dbc][row.from*width:]
	return kernel.ScanRows{
		Tokens: row.tokens,
		X:      x, XStride: I,
		Dt: c.scratch[m.dt][row.from*I:], DtStride: I,
		B: dbc[R:], BStride: width,
		C: dbc[R+m.StateSize:], CStride: width,
		Z: xz[I:], ZStride: 2 * I,
		Y: x, YStride: I,
	}
}
