package model

import (
	"errors"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
)

// zamba is the mixer of Zamba (Glorioso and others 2024, arXiv:2405.16712): that of Mamba-1 by heads, each of which has a selection of
// its own. The steps carry the numbers of forward in transformers' models/zamba/modeling_zamba.py. There a prompt that follows a cache
// begins with a state of zeros, as in Mamba-1; here it goes on.
type zamba struct {
	*blocks.Mamba1Sizes

	inProj  weight        // [2I, D]: rows of x and of z by turns
	inBias  []float32     // [2I], or nil
	conv    kernel.Conv   // [I, K] and bias [I]
	xProj   []weight      // [H][R+2N, P]: rows of dt, then of B, then of C
	dtProj  []weight      // [H][P, R]
	scans   []kernel.Scan // [H]: A·log2 e [P, N], D [P], the bias of dt [P]
	outProj weight        // [D, I]
	outBias []float32     // [D], or nil

	turns, xz, x, dbc, dt array // [B·T, 2I], [B·T, 2I], [B·T, I], [B·T, H, R+2N], [B·T, I]

	convolving, recurring channelFunc // convolve and recur
}

func newZamba(b binder, s *scratch, sizes *blocks.Mamba1Sizes) *zamba {
	m := &zamba{
		Mamba1Sizes: sizes,
		inProj:      matrix(b, "in_proj.weight"),
		inBias:      optional(b, "in_proj.bias", sizes.Bias),
		xProj:       matrices(b, "x_proj_weight", sizes.Heads),
		dtProj:      matrices(b, "dt_proj_weight", sizes.Heads),
		outProj:     matrix(b, "out_proj.weight"),
		outBias:     optional(b, "out_proj.bias", sizes.Bias),
	}
	m.turns, m.xz, m.x = s.reserve("by turns", 2*m.Inner), s.reserve("in_proj", 2*m.Inner), s.reserve("conv1d", m.Inner)
	m.dbc, m.dt = s.reserve("x_proj", m.Heads*m.selected()), s.reserve("dt_proj", m.Inner)
	m.convolving, m.recurring = m.convolve, m.recur
	taps, bias := vector(b, "conv1d.weight"), optional(b, "conv1d.bias", sizes.ConvBias) // [I, 1, K], [I]
	aLog, skip, dtBias := vector(b, "A_log"), vector(b, "D"), vector(b, "dt_proj_bias")  // [H, P, N], [H, P], [H, P]
	if b.Err() != nil {
		return m
	}
	m.conv = kernel.NewConv(taps, bias, m.Inner)
	rates, P, N := make([]float32, len(aLog)), m.dim(), m.StateSize
	kernel.DecayRates(rates, aLog)
	for h := range m.Heads {
		m.scans = append(m.scans, kernel.Scan{States: N, Rate: rates[h*P*N:][:P*N], D: skip[h*P:][:P], DtBias: dtBias[h*P:][:P]})
	}
	return m
}

// matrices binds a stack of matrices, [n, rows, cols], without copying it.
func matrices(b binder, name string, n int) []weight {
	t := b.Take(name)
	if b.Err() != nil {
		return make([]weight, n)
	}
	if b.Delta(name) != nil {
		b.Fail(name, errors.New("an adapter of a stack of matrices is not supported"))
	}
	list, size := make([]weight, n), t.Elems()/n
	for i := range list {
		part := t.Piece(i*size, (i+1)*size)
		part.Shape = t.Shape[1:]
		list[i] = weight{kernel.NewMatrix(part), nil, []string{t.Name}}
	}
	return list
}

// dim returns the channels of a head, P.
func (m *zamba) dim() int { return m.Inner / m.Heads }

// selected returns how many values of dt, B and C a head has, R+2N.
func (m *zamba) selected() int { return m.Rank + 2*m.StateSize }

// forward implements block.
func (m *zamba) forward(c *chunk) {
	I, P, W := m.Inner, m.dim(), m.selected()
	turns, xz, x, dbc, dt := c.scratch[m.turns], c.scratch[m.xz], c.scratch[m.x], c.scratch[m.dbc], c.scratch[m.dt]

	// 1. Projection.                                                    u [B·T, D] → x, z [B·T, I]
	c.matMul(turns, &m.inProj, c.u, m.inProj.Cols, m.inBias)
	for row := range c.rows {
		from, to := turns[row*2*I:][:2*I], xz[row*2*I:][:2*I]
		for i := range I {
			to[i], to[I+i] = from[2*i], from[2*i+1]
		}
	}

	// 2. Causal convolution and SiLU.                                   x [B·T, I] → x [B·T, I]
	c.eachChannel(I, m.convolving)
	c.clearPadding(x, I)

	// 3.a Selection by each head.                                       x [B·T, H, P] → dt, B, C [B·T, H, R + N + N]
	// 3.b Discretisation: dt = softplus(dt_proj(dt) + bias).            dt [B·T, H, R] → [B·T, H, P]
	rows := tokens{c.spans, c.rows}
	for h := range m.Heads {
		c.product(rows, dbc[h*W:], m.Heads*W, &m.xProj[h], x[h*P:], I, nil)
	}
	c.multiply()
	for h := range m.Heads {
		c.product(rows, dt[h*P:], I, &m.dtProj[h], dbc[h*W:], m.Heads*W, nil)
	}
	c.multiply()

	// 3.c Recurrence h = exp(dt·A)·h + dt·B·x, output y = C·h + D·x,
	//     gated with SiLU(z).                                           [B·T, I], over x
	c.recur(m, m.Heads, I, m.recurring)

	// 4. Projection back.                                               y [B·T, I] → out [B·T, D]
	c.matMul(c.out, &m.outProj, x, I, m.outBias)
}

// convolve is step 2 for the channels lo to hi of one sequence.
func (m *zamba) convolve(c *chunk, row span, lo, hi int) {
	I, xz, x := m.Inner, c.scratch[m.xz], c.scratch[m.x]
	m.conv.Run(x[row.from*I:], I, xz[row.from*2*I:], 2*I, c.states[blocks.Conv].Of(row.seq), row.tokens, lo, hi)
}

// recur is step 3.c for the channels lo to hi of one sequence, which may be of several heads.
func (m *zamba) recur(c *chunk, row span, lo, hi int) {
	P := m.dim()
	for h := lo / P; h*P < hi; h++ {
		_, rows, state := m.recurrence(c, row, h)
		m.scans[h].Run(&rows, state, max(lo-h*P, 0), min(hi-h*P, P))
	}
}

// recurrence implements scanner.
func (m *zamba) recurrence(c *chunk, row span, h int) (kernel.Recurrence, kernel.ScanRows, []float32) {
	I, P, N, W := m.Inner, m.dim(), m.StateSize, m.Heads*m.selected()
	xz, x := c.scratch[m.xz][row.from*2*I+h*P:], c.scratch[m.x][row.from*I+h*P:]
	dbc := c.scratch[m.dbc][row.from*W+h*m.selected():]
	rows := kernel.ScanRows{
		Tokens: row.tokens,
		X:      x, XStride: I,
		Dt: c.scratch[m.dt][row.from*I+h*P:], DtStride: I,
		B: dbc[m.Rank:], BStride: W,
		C: dbc[m.Rank+N:], CStride: W,
		Z: xz[I:], ZStride: 2 * I,
		Y: x, YStride: I,
	}
	return &m.scans[h], rows, c.states[blocks.SSM].Of(row.seq)[h*P*N:][:P*N]
}
