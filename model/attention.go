package model

import (
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/samebits"
)

// attention is causal self-attention in which groups of query heads share a head of keys and values (Vaswani and others 2017;
// Ainslie and others 2023, arXiv:2305.13245), with the rotary embedding of Su and others (2021, arXiv:2104.09864) in the form
// that turns halves. The steps are those of forward in BambaAttention, GraniteMoeHybridAttention and FalconH1Attention of
// transformers.
type attention struct {
	*blocks.Attention
	frequencies []float64 // [Turned/2], in radians for each position

	qProj, kProj, vProj, oProj weight    // [q·hd, D], [kv·hd, D], [kv·hd, D], [D, q·hd]
	qBias, kBias, vBias, oBias []float32 // [q·hd], [kv·hd], [kv·hd], [D], or nil
	qMore, kMore, vMore        *lowRank  // of a block that layers share, or nil
	head                       kernel.Attention

	in             scaled
	q, k, v, turns array // [B·T, q·hd], [B·T, kv·hd], [B·T, kv·hd], [B·T, Turned]: cosines, then sines

	turning, attending channelFunc // turn and attend
}

func newAttention(b binder, s *scratch, a *blocks.Attention) *attention {
	m := &attention{
		Attention: a,
		qProj:     matrix(b, "q_proj.weight"), qBias: optional(b, "q_proj.bias", a.Bias),
		kProj: matrix(b, "k_proj.weight"), kBias: optional(b, "k_proj.bias", a.Bias),
		vProj: matrix(b, "v_proj.weight"), vBias: optional(b, "v_proj.bias", a.Bias),
		oProj: matrix(b, "o_proj.weight"), oBias: optional(b, "o_proj.bias", a.OutBias),
		qMore: newLowRank(b, s, a.QAdapter), kMore: newLowRank(b, s, a.KAdapter), vMore: newLowRank(b, s, a.VAdapter),
		head: kernel.Attention{Dim: a.Dim, Group: a.Heads / a.KeyHeads, Scale: a.Scale},
		q:    s.reserve("q_proj", a.Heads*a.Dim), k: s.reserve("k_proj", a.KeyHeads*a.Dim), v: s.reserve("v_proj", a.KeyHeads*a.Dim),
		turns: s.reserve("turns", a.Turned),
	}
	m.in = newScaled(s, a.InScale, m.qProj.Cols)
	for i := range a.Turned / 2 {
		m.frequencies = append(m.frequencies, samebits.Exp(float64(-2*i)/float64(a.Turned)*samebits.Log(a.Theta)))
	}
	m.turning, m.attending = m.turn, m.attend
	return m
}

// forward implements block.
func (m *attention) forward(c *chunk) {
	q, k, v := c.scratch[m.q], c.scratch[m.k], c.scratch[m.v]

	// 1. Projections.                                           u [B·T, D] → q [B·T, q, hd], k, v [B·T, kv, hd]
	u := m.in.of(c)
	c.matMul(q, &m.qProj, u, m.qProj.Cols, m.qBias)
	c.matMul(k, &m.kProj, u, m.kProj.Cols, m.kBias)
	c.matMul(v, &m.vProj, u, m.vProj.Cols, m.vBias)
	m.qMore.add(c, q)
	m.kMore.add(c, k)
	m.vMore.add(c, v)

	// 2. Positions, counted from the first token of a sequence. → cos, sin [B·T, Turned/2]
	for _, row := range c.spans {
		m.angles(c, row)
		c.states[blocks.Keys].Grow(row.seq, row.tokens)
		c.states[blocks.Values].Grow(row.seq, row.tokens)
	}

	// 3. Rotary embedding of q and k; keys and values join those before.
	c.each(m.KeyHeads, 1, m.turning)

	// 4. softmax(q·kᵀ·scale)·v, by groups of q/kv query heads and tiles of positions.
	//                                                           [B·T, q, hd], over q
	c.each(m.KeyHeads*m.tiles(c), 1, m.attending)
	c.clearPadding(q, m.Heads*m.Dim)

	// 5. Projection back.                                       [B·T, q·hd] → out [B·T, D]
	c.matMul(c.out, &m.oProj, q, m.oProj.Cols, m.oBias)
}

// angles is step 2 for one sequence, of which the states do not have the tokens yet.
func (m *attention) angles(c *chunk, row span) {
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
func (m *attention) turn(c *chunk, row span, lo, hi int) {
	keys, values := &c.states[blocks.Keys], &c.states[blocks.Values]
	q, k, v, turns := c.scratch[m.q], c.scratch[m.k], c.scratch[m.v], c.scratch[m.turns]
	dim, group := m.Dim, m.head.Group
	first := keys.Tokens(row.seq) - row.tokens
	for t := range row.tokens {
		at := row.from + t
		turn := turns[at*m.Turned:][:m.Turned]
		for head := lo; head < hi; head++ {
			key := k[(at*m.KeyHeads+head)*dim:][:dim]
			for i := range key {
				key[i] = float32(float64(key[i]) * m.KeyScale)
			}
			rotate(key, turn)
			keys.Put(row.seq, head, first+t, key)
			values.Put(row.seq, head, first+t, v[(at*m.KeyHeads+head)*dim:][:dim])
			for j := head * group; j < (head+1)*group; j++ {
				rotate(q[(at*m.Heads+j)*dim:][:dim], turn)
			}
		}
	}
}

// tiles returns into how many tiles the positions of a chunk are divided.
func (m *attention) tiles(c *chunk) int {
	return (c.width + m.head.Positions() - 1) / m.head.Positions()
}

// attend is step 4 for the tiles lo to hi of one sequence, counted over the key heads.
func (m *attention) attend(c *chunk, row span, lo, hi int) {
	keys, values, q := &c.states[blocks.Keys], &c.states[blocks.Values], c.scratch[m.q]
	each, atOnce, stride := m.tiles(c), m.head.Positions(), m.Heads*m.Dim
	for i := lo; i < hi; i++ {
		head, from := i/each, i%each*atOnce
		if n := min(atOnce, row.tokens-from); n > 0 {
			group := q[(row.from+from)*stride+head*m.head.Group*m.Dim:]
			first := keys.Tokens(row.seq) - row.tokens + from
			m.head.Run(group, stride, n, first, head, keys.Pages(row.seq), values.Pages(row.seq))
		}
	}
}

// rotate turns the pairs (i, i+n/2) of the first n channels of a head by angles: n/2 cosines, then n/2 sines.
func rotate(x, turn []float32) {
	half := len(turn) / 2
	for i := range half {
		a, b, cos, sin := float64(x[i]), float64(x[half+i]), float64(turn[i]), float64(turn[half+i])
		x[i], x[half+i] = float32(float64(a*cos)-float64(b*sin)), float32(float64(b*cos)+float64(a*sin))
	}
}
