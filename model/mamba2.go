package model

import (
	"slices"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
)

// mamba2 is the mixer of Mamba-2 (Dao and Gu 2024, arXiv:2405.21060): the block of section 7, whose projections are
// parallel, around the recurrence that Listing 1 evaluates in chunks. The steps below carry the numbers of forward in
// transformers' models/mamba2/modeling_mamba2.py. That one ignores time_step_limit when it runs a single token;
// here any number of tokens is computed the same way.
type mamba2 struct {
	inner, channels, heads int   // I = H·P, C = I + 2·G·N, H
	bc                     int   // G·N, the channels of B, and those of C
	groups                 []int // I/G for each group: the channels that are normed together

	inProj  weight          // [I+C+H, D]: rows of z, x, B, C, dt
	inBias  []float32       // [I+C+H], or nil
	conv    kernel.Conv     // [C, K] and bias [C]: x, B, C
	scan    kernel.HeadScan // A [H], D, the bias of dt [H]
	norm    []float32       // [I]; nil: there is none
	place   blocks.NormPlace
	normEps float64
	outProj weight    // [D, I]
	outBias []float32 // [D], or nil

	in        scaled
	sections  []float32 // [I+C+H], factors of what inProj gives, or nil
	proj, xBC array     // [B·T, I+C+H], [B·T, C]

	scaling, convolving, recurring, gating channelFunc // scale, convolve, recur and gate
}

func newMamba2(b binder, s *scratch, sizes *blocks.Mamba2Sizes) *mamba2 {
	m := &mamba2{
		inner: sizes.Inner(), channels: sizes.Channels(), heads: sizes.Heads,
		bc: sizes.Groups * sizes.StateSize, groups: slices.Repeat([]int{sizes.Inner() / sizes.Groups}, sizes.Groups),
		inProj: matrix(b, "in_proj.weight"),
		inBias: optional(b, "in_proj.bias", sizes.Bias),
		scan: kernel.HeadScan{
			Heads: sizes.Heads, HeadDim: sizes.HeadDim, Groups: sizes.Groups, States: sizes.StateSize,
			DtBias: vector(b, "dt_bias"), DtMin: sizes.Limit[0], DtMax: sizes.Limit[1],
		},
		norm: optional(b, "norm.weight", sizes.Norm != blocks.NoNorm), place: sizes.Norm, normEps: sizes.NormEps,
		outProj: matrix(b, "out_proj.weight"),
		outBias: optional(b, "out_proj.bias", sizes.OutBias),
	}
	m.proj, m.xBC = s.reserve("in_proj", m.inner+m.channels+m.heads), s.reserve("conv1d", m.channels)
	m.in = newScaled(s, sizes.InScale, m.inProj.Cols)
	if sizes.Sections != nil {
		for i, n := range []int{m.inner, m.inner, m.bc, m.bc, m.heads} {
			m.sections = append(m.sections, slices.Repeat([]float32{float32(sizes.Sections[i])}, n)...)
		}
	}
	m.scaling, m.convolving, m.recurring, m.gating = m.scale, m.convolve, m.recur, m.gate
	taps, bias := vector(b, "conv1d.weight"), optional(b, "conv1d.bias", sizes.ConvBias) // [C, 1, K], [C]
	aLog, skip := vector(b, "A_log"), vector(b, "D")                                     // [H], [H]
	if b.Err() == nil {
		m.conv = kernel.NewConv(taps, bias, m.channels)
		m.scan.A = make([]float32, m.heads)
		kernel.NegExp(m.scan.A, aLog) // A = -exp(A_log)
		for c := range m.inner {
			m.scan.D = append(m.scan.D, skip[c/sizes.HeadDim])
		}
	}
	return m
}

// forward implements block.
func (m *mamba2) forward(c *chunk) {
	C, proj, xBC := m.channels, c.scratch[m.proj], c.scratch[m.xBC]

	// 1. Projection.                                    u [B·T, D] → z [B·T, I], xBC [B·T, C], dt [B·T, H]
	c.matMul(proj, &m.inProj, m.in.of(c), m.inProj.Cols, m.inBias) // token t of z is at t·(I+C+H), of xBC I later
	if m.sections != nil {
		c.eachChannel(m.inProj.Rows, m.scaling)
	}

	// 2. Causal convolution and SiLU.                   xBC [B·T, C] → x [B·T, I], B, C [B·T, G, N]
	c.eachChannel(C, m.convolving)
	c.clearPadding(xBC, C)

	// 3. Discretisation dt = softplus(dt + bias), within its limits; of each head the recurrence
	//    s = exp(dt·A)·s + (dt·x) ⊗ B, output y = s·C + D·x, gated with SiLU(z), now
	//    or after the norm.                            [B·T, I], over x
	c.recur(m, 1, m.inner, m.recurring)

	// 4. RMS norm of every group, and projection back.  y [B·T, G, I/G] → out [B·T, D]
	if m.norm != nil {
		c.normRows(rowNorm{y: xBC, x: xBC, stride: C, parts: m.groups, weight: m.norm, eps: m.normEps})
	}
	if m.place == blocks.NormBeforeGate {
		c.eachChannel(m.inner, m.gating)
	}
	c.matMul(c.out, &m.outProj, xBC, C, m.outBias)
}

// scale is the end of step 1 for the channels lo to hi of one sequence.
func (m *mamba2) scale(c *chunk, row span, lo, hi int) {
	width := m.inProj.Rows
	for t := range row.tokens {
		kernel.ScaleEach(c.scratch[m.proj][(row.from+t)*width:][lo:hi], m.sections[lo:hi])
	}
}

// convolve is step 2 for the channels lo to hi of one sequence.
func (m *mamba2) convolve(c *chunk, row span, lo, hi int) {
	I, C, width := m.inner, m.channels, m.inProj.Rows
	proj, xBC := c.scratch[m.proj][row.from*width:], c.scratch[m.xBC][row.from*C:]
	m.conv.Run(xBC, C, proj[I:], width, c.states[blocks.Conv].Of(row.seq), row.tokens, lo, hi)
}

// recur is step 3 for the channels lo to hi of one sequence.
func (m *mamba2) recur(c *chunk, row span, lo, hi int) {
	rows := m.rows(c, row)
	m.scan.Run(&rows, c.states[blocks.SSM].Of(row.seq), lo, hi)
}

// gate is the end of step 4 before the projection, for the channels lo to hi of one sequence.
func (m *mamba2) gate(c *chunk, row span, lo, hi int) {
	for t := range row.tokens {
		z, y := c.scratch[m.proj][(row.from+t)*m.inProj.Rows:], c.scratch[m.xBC][(row.from+t)*m.channels:]
		kernel.Gate(y[lo:hi], z[lo:hi])
	}
}

// recurrence implements scanner.
func (m *mamba2) recurrence(c *chunk, row span, _ int) (kernel.Recurrence, kernel.ScanRows, []float32) {
	return &m.scan, m.rows(c, row), c.states[blocks.SSM].Of(row.seq)
}

// rows lays out the scan of one sequence: x is read and overwritten with y.
func (m *mamba2) rows(c *chunk, row span) kernel.ScanRows {
	I, C, width := m.inner, m.channels, m.inProj.Rows
	proj, xBC := c.scratch[m.proj][row.from*width:], c.scratch[m.xBC][row.from*C:]
	rows := kernel.ScanRows{
		Tokens: row.tokens,
		X:      xBC, XStride: C,
		Dt: proj[I+C:], DtStride: width,
		B: xBC[I:], BStride: C,
		C: xBC[I+m.bc:], CStride: C,
		Z: proj, ZStride: width,
		Y: xBC, YStride: C,
	}
	if m.place == blocks.NormBeforeGate {
		rows.Z = nil
	}
	return rows
}
