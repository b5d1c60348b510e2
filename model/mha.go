package model

import (
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
)

// mha is attention as mamba_ssm has it (modules/mha.py): one projection for queries, keys and values, a causal convolution over
// them, and perhaps an MLP beside the heads. The steps are those of forward there.
type mha struct {
	heads
	*blocks.Around

	inProj  weight      // [QKV+2·Width, D]: rows of q, k, v, and of the MLP's input and gate
	inBias  []float32   // [QKV+2·Width], or nil
	conv    kernel.Conv // [QKV, Kernel] and bias [QKV]
	outProj weight      // [D, q·hd+Width]
	outBias []float32   // [D], or nil

	proj   array // [B·T, QKV+2·Width]
	joined array // [B·T, q·hd+Width], if there is an MLP

	convolving channelFunc // convolve
}

func newMHA(b binder, s *scratch, a *blocks.Attention, around *blocks.Around) *mha {
	m := &mha{
		Around: around,
		inProj: matrix(b, "in_proj.weight"), inBias: optional(b, "in_proj.bias", a.Bias),
		outProj: matrix(b, "out_proj.weight"), outBias: optional(b, "out_proj.bias", a.OutBias),
	}
	stride, queries, keys := around.Channels+2*around.Width, a.Heads*a.Dim, a.KeyHeads*a.Dim
	m.proj = s.reserve("in_proj", stride)
	from := m.proj
	if around.Kernel > 0 {
		from, stride = s.reserve("conv1d", around.Channels), around.Channels
		taps, bias := vector(b, "conv1d.weight"), vector(b, "conv1d.bias") // [QKV, 1, Kernel], [QKV]
		if b.Err() == nil {
			m.conv = kernel.NewConv(taps, bias, around.Channels)
			m.conv.Linear = true
		}
	}
	if around.Width > 0 {
		m.joined = s.reserve("out_proj", queries+around.Width)
	}
	m.heads = newHeads(s, a, columns{from, 0, stride}, columns{from, queries, stride}, columns{from, queries + keys, stride})
	m.turning, m.attending, m.convolving = m.turn, m.attend, m.convolve
	return m
}

// forward implements block.
func (m *mha) forward(c *chunk) {
	// 1. Projection.                                    u [B·T, D] → q [B·T, q, hd], k, v [B·T, kv, hd], MLP [B·T, 2·Width]
	c.matMul(c.scratch[m.proj], &m.inProj, c.u, m.inProj.Cols, m.inBias)

	// 2. Causal convolution.                            q, k, v [B·T, QKV]
	if m.Kernel > 0 {
		c.eachChannel(m.Channels, m.convolving)
	}

	// 3. Attention.                                     [B·T, q, hd], over q
	m.mix(c)

	// 4. Projection back, of the MLP's output too.      [B·T, q·hd+Width] → out [B·T, D]
	y, stride := m.q.of(c), m.q.stride
	if m.Width > 0 {
		y, stride = m.join(c), m.outProj.Cols
	}
	c.matMul(c.out, &m.outProj, y, stride, m.outBias)
}

// convolve is step 2 for the channels lo to hi of one sequence.
func (m *mha) convolve(c *chunk, row span, lo, hi int) {
	in, out := c.scratch[m.proj][row.from*m.inProj.Rows:], c.scratch[m.q.array][row.from*m.q.stride:]
	m.conv.Run(out, m.q.stride, in, m.inProj.Rows, c.states[blocks.QKV].Of(row.seq), row.tokens, lo, hi)
}

// join returns what the heads found, and after it what the MLP beside them makes: silu(gate)·x.
func (m *mha) join(c *chunk) []float32 {
	q, stride, queries, width := m.q.of(c), m.inProj.Rows, m.Heads*m.Dim, m.outProj.Cols
	x := c.scratch[m.proj][m.Channels:]
	kernel.SwiGLU(c.model.pool, x, x[m.Width:], 1, stride, m.Width, c.rows)
	joined := c.scratch[m.joined]
	for t := range c.rows {
		copy(joined[t*width:][:queries], q[t*m.q.stride:])
		copy(joined[t*width+queries:][:m.Width], x[t*stride:])
	}
	return joined
}

// gatedMLP is the MLP of mamba_ssm (modules/mlp.py): SwiGLU with one projection, of whose rows the first half is the input.
type gatedMLP struct {
	fc1, fc2 weight // [2W, D], [D, W]
	wide     array  // [B·T, 2W]
}

func newGatedMLP(b binder, s *scratch, sizes *blocks.MLPSizes) *gatedMLP {
	return &gatedMLP{matrix(b, sizes.Up+".weight"), matrix(b, sizes.Down+".weight"), s.reserve("fc1", 2*sizes.Width)}
}

// forward implements block.
func (m *gatedMLP) forward(c *chunk) {
	wide, W := c.scratch[m.wide], m.fc2.Cols
	c.matMul(wide, &m.fc1, c.u, m.fc1.Cols, nil)                   // 1. Projection up.     u [B·T, D] → y, gate [B·T, W]
	kernel.SwiGLU(c.model.pool, wide, wide[W:], 1, 2*W, W, c.rows) // 2. silu(gate)·y.      [B·T, W], over y
	c.matMul(c.out, &m.fc2, wide, 2*W, nil)                        // 3. Projection down.   [B·T, W] → out [B·T, D]
}
