package reference

import (
	"math"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/samebits"
)

// attention is causal self-attention with shared keys and values.
type attention[F constraints.Float] struct {
	*oracle[F]
	*blocks.Attention
}

// mix is softmax(q·kᵀ·scale)·v, head by head.                        u [B·T, D] → [B·T, D]
func (m *attention[F]) mix(b binder, u []F, states []blocks.State[F]) []F {
	u = scaled(m.oracle, u, m.InScale)
	q := m.linear(b.Take("q_proj.weight"), u, m.bias(b, "q_proj.bias", m.Bias)) // [B·T, q, hd]
	k := m.linear(b.Take("k_proj.weight"), u, m.bias(b, "k_proj.bias", m.Bias)) // [B·T, kv, hd]
	v := m.linear(b.Take("v_proj.weight"), u, m.bias(b, "v_proj.bias", m.Bias)) // [B·T, kv, hd]
	m.addLowRank(b, q, u, m.QAdapter)
	m.addLowRank(b, k, u, m.KAdapter)
	m.addLowRank(b, v, u, m.VAdapter)
	for i := range k {
		k[i] *= F(m.KeyScale)
	}
	m.narrow(k)
	y := m.heads(q, k, v, states)
	return m.linear(b.Take("o_proj.weight"), y, m.bias(b, "o_proj.bias", m.OutBias))
}

// heads is mix between the projections: what queries q [B·T, q, hd] find, with keys and values k, v [B·T, kv, hd].
func (m *attention[F]) heads(q, k, v []F, states []blocks.State[F]) []F {
	keys, values := &states[blocks.Keys], &states[blocks.Values]
	y := make([]F, len(q))
	for seq := range m.batch.Sequences {
		from, to := m.batch.Real(seq)
		for t := from; t < to && !m.stopped(); t++ {
			row, position := seq*m.batch.Tokens+t, keys.Tokens(seq)
			keys.Grow(seq, 1)
			values.Grow(seq, 1)
			for head := range m.KeyHeads {
				at := (row*m.KeyHeads + head) * m.Dim
				keys.Put(seq, head, position, m.turn(k[at:][:m.Dim], position))
				values.Put(seq, head, position, v[at:][:m.Dim])
			}
			for head := range m.Heads {
				at := (row*m.Heads + head) * m.Dim
				m.attend(y[at:][:m.Dim], m.turn(q[at:][:m.Dim], position), keys, values, seq, head/(m.Heads/m.KeyHeads))
			}
		}
	}
	return m.narrow(y)
}

// attend sets y to what the query q finds in a head of keys and values.
func (m *attention[F]) attend(y, q []F, keys, values *blocks.State[F], seq, head int) {
	row, weights := make([]F, m.Dim), make([]F, keys.Tokens(seq))
	most := F(math.Inf(-1))
	for t := range weights {
		keys.Row(seq, head, t, row)
		weights[t] = dot(q, row) * F(m.Scale)
		most = max(most, weights[t])
	}
	var sum F
	for t := range weights {
		weights[t] = exp(weights[t] - most)
		sum += weights[t]
	}
	for t, w := range weights {
		values.Row(seq, head, t, row)
		for i, v := range row {
			y[i] += F(narrowed(m.oracle, w/sum) * v)
		}
	}
}

// turn returns x with the rotary embedding of a position: pairs (i, i + n/2) of the first n channels, or neighbours, turn by
// position · theta^(-2i/n). Angles are of type F: in float32, where their error grows with the position, as implementations compute
// them.
func (m *attention[F]) turn(x []F, position int) []F {
	y, half := append([]F(nil), x...), m.Turned/2
	for i := range half {
		frequency := F(samebits.Exp(float64(-2*i) / float64(m.Turned) * samebits.Log(m.Theta)))
		sin, cos := samebits.Sincos(float64(F(position) * frequency))
		a, b := i, half+i
		if m.Interleaved {
			a, b = 2*i, 2*i+1
		}
		y[a] = F(x[a]*F(cos)) - F(x[b]*F(sin))
		y[b] = F(x[b]*F(cos)) + F(x[a]*F(sin))
	}
	return m.narrow(y)
}
