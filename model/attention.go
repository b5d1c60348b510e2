package model

import (
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/samebits"
)

// attention is causal self-attention in which groups of query heads share a head of keys and values (Vaswani and others 2017;
// Ainslie and others 2023, arXiv:2305.13245). The steps are those of forward in BambaAttention, GraniteMoeHybridAttention and
// FalconH1Attention of transformers.
type attention struct {
	heads

	qProj, kProj, vProj, oProj weight    // [q·hd, D], [kv·hd, D], [kv·hd, D], [D, q·hd]
	qBias, kBias, vBias, oBias []float32 // [q·hd], [kv·hd], [kv·hd], [D], or nil
	in                         scaled
	qMore, kMore, vMore        *lowRank // of a block that layers share, or nil
}

// columns are some of the columns of an array.
type columns struct {
	array
	from, stride int // the first one, and how far rows are apart
}

// whole reserves an array with rows of a width.
func whole(s *scratch, name string, width int) columns {
	return columns{s.reserve(name, width), 0, width}
}

// of returns the columns of a chunk, the rows stride apart.
func (v *columns) of(c *chunk) []float32 { return c.scratch[v.array][v.from:] }

func newAttention(b binder, s *scratch, a *blocks.Attention) *attention {
	m := &attention{
		qProj: matrix(b, "q_proj.weight"), qBias: optional(b, "q_proj.bias", a.Bias),
		kProj: matrix(b, "k_proj.weight"), kBias: optional(b, "k_proj.bias", a.Bias),
		vProj: matrix(b, "v_proj.weight"), vBias: optional(b, "v_proj.bias", a.Bias),
		oProj: matrix(b, "o_proj.weight"), oBias: optional(b, "o_proj.bias", a.OutBias),
		qMore: newLowRank(b, s, a.QAdapter), kMore: newLowRank(b, s, a.KAdapter), vMore: newLowRank(b, s, a.VAdapter),
	}
	m.heads = newHeads(s, a, whole(s, "q_proj", a.Heads*a.Dim), whole(s, "k_proj", a.KeyHeads*a.Dim), whole(s, "v_proj", a.KeyHeads*a.Dim))
	m.in = newScaled(s, a.InScale, m.qProj.Cols)
	m.turning, m.attending = m.turn, m.attend
	return m
}

// forward implements block.
func (m *attention) forward(c *chunk) {
	// 1. Projections.                                           u [B·T, D] → q [B·T, q, hd], k, v [B·T, kv, hd]
	u := m.in.of(c)
	c.matMul(m.q.of(c), &m.qProj, u, m.qProj.Cols, m.qBias)
	c.matMul(m.k.of(c), &m.kProj, u, m.kProj.Cols, m.kBias)
	c.matMul(m.v.of(c), &m.vProj, u, m.vProj.Cols, m.vBias)
	m.qMore.add(c, m.q.of(c))
	m.kMore.add(c, m.k.of(c))
	m.vMore.add(c, m.v.of(c))

	// 2. to 4.                                                  [B·T, q, hd], over q
	m.mix(c)

	// 5. Projection back.                                       [B·T, q·hd] → out [B·T, D]
	c.matMul(c.out, &m.oProj, m.q.of(c), m.q.stride, m.oBias)
}

// heads are what attention does between its projections, with the rotary embedding of Su and others (2021, arXiv:2104.09864).
type heads struct {
	*blocks.Attention
	frequencies []float64 // [Turned/2], in radians for each position
	head        kernel.Attention

	q, k, v columns // [B·T, q·hd], [B·T, kv·hd], [B·T, kv·hd]
	turns   array   // [B·T, Turned]: cosines, then sines

	turning, attending channelFunc // turn and attend
}

func newHeads(s *scratch, a *blocks.Attention, q, k, v columns) heads {
	m := heads{
		Attention: a,
		head:      kernel.Attention{Dim: a.Dim, Group: a.Heads / a.KeyHeads, Scale: a.Scale},
		q:         q, k: k, v: v, turns: s.reserve("turns", a.Turned),
	}
	for i := range a.Turned / 2 {
		m.frequencies = append(m.frequencies, samebits.Exp(float64(-2*i)/float64(a.Turned)*samebits.Log(a.Theta)))
	}
	return m
}

// mix replaces the queries of a chunk with what they find.
func (m *heads) mix(c *chunk) {
	// 2. Positions, counted from the first token of a sequence. → cos, sin [B·T, Turned/2]
	for _, row := range c.spans {
		m.angles(c, row)
		c.states[blocks.Keys].Grow(row.seq, row.tokens)
		c.states[blocks.Values].Grow(row.seq, row.tokens)
	}

	// 3. Rotary embedding of q and k; keys and values join those before.
	c.each(m.KeyHeads, 1, m.turning)

	// 4. softmax(q·kᵀ·scale)·v, by groups of q/kv query heads and tiles of positions.
	c.each(m.KeyHeads*m.tiles(c), 1, m.attending)
	c.clearPadding(c.scratch[m.q.array], m.q.stride)
}

// angles is step 2 for one sequence, of which the states do not have the tokens yet.
func (m *heads) angles(c *chunk, row span) {
	n, half, first := m.Turned, m.Turned/2, c.states[blocks.Keys].Tokens(row.seq)
	for t := range row.tokens {
		turns := c.scratch[m.turns][(row.from+t)*n:][:n]
		for i, f := range m.frequencies {
			sin, cos := samebits.Sincos(float64(first+t) * f)
			turns[i], turns[half+i] = float32(cos), float32(sin)
		}
	}
}

// turn is step 3 for the key heads lo to hi of one sequence.
func (m *heads) turn(c *chunk, row span, lo, hi int) {
	keys, values := &c.states[blocks.Keys], &c.states[blocks.Values]
	q, k, v, turns := m.q.of(c), m.k.of(c), m.v.of(c), c.scratch[m.turns]
	dim, group := m.Dim, m.head.Group
	first := keys.Tokens(row.seq) - row.tokens
	for t := range row.tokens {
		at := row.from + t
		turn := turns[at*m.Turned:][:m.Turned]
		for head := lo; head < hi; head++ {
			key := k[at*m.k.stride+head*dim:][:dim]
			for i := range key {
				key[i] = float32(float64(key[i]) * m.KeyScale)
			}
			m.rotate(key, turn)
			keys.Put(row.seq, head, first+t, key)
			values.Put(row.seq, head, first+t, v[at*m.v.stride+head*dim:][:dim])
			for j := head * group; j < (head+1)*group; j++ {
				m.rotate(q[at*m.q.stride+j*dim:][:dim], turn)
			}
		}
	}
}

// tiles returns into how many tiles the positions of a chunk are divided.
func (m *heads) tiles(c *chunk) int {
	return (c.width + m.head.Positions() - 1) / m.head.Positions()
}

// attend is step 4 for the tiles lo to hi of one sequence, counted over the key heads.
func (m *heads) attend(c *chunk, row span, lo, hi int) {
	keys, values, q := &c.states[blocks.Keys], &c.states[blocks.Values], m.q.of(c)
	each, atOnce, stride := m.tiles(c), m.head.Positions(), m.q.stride
	for i := lo; i < hi; i++ {
		head, from := i/each, i%each*atOnce
		if n := min(atOnce, row.tokens-from); n > 0 {
			group := q[(row.from+from)*stride+head*m.head.Group*m.Dim:]
			first := keys.Tokens(row.seq) - row.tokens + from
			m.head.Run(group, stride, n, first, head, keys.Pages(row.seq), values.Pages(row.seq))
		}
	}
}

// rotate turns the pairs (i, i+n/2) of the first n channels of a head, or neighbours, by angles: n/2 cosines, then n/2 sines.
func (m *heads) rotate(x, turn []float32) {
	half := len(turn) / 2
	for i := range half {
		first, second := i, half+i
		if m.Interleaved {
			first, second = 2*i, 2*i+1
		}
		a, b, cos, sin := float64(x[first]), float64(x[second]), float64(turn[i]), float64(turn[half+i])
		x[first], x[second] = float32(float64(a*cos)-float64(b*sin)), float32(float64(b*cos)+float64(a*sin))
	}
}
