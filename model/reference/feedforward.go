package reference

import (
	"slices"
	"strconv"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/tensor"
)

// mlp is a feed-forward block.
type mlp[F constraints.Float] struct {
	*oracle[F]
	*blocks.MLPSizes
}

// mix is down·max(up·u, 0)² or down·gelu(up·u), or down·(silu(scale·gate·u) * up·u).          u [rows, D] → [rows, D]
func (m *mlp[F]) mix(b binder, u []F, _ []blocks.State[F]) []F {
	if m.Both != "" {
		both := m.linear(b.Take(m.Both+".weight"), u, m.bias(b, m.Both+".bias", m.Bias)) // [rows, 2F]
		m.addLowRank(b, both, u, m.Adapter)
		gate, wide := columns(both, 2*m.Width, m.Width), columns(both[m.Width:], 2*m.Width, m.Width)
		return m.linear(b.Take(m.Down+".weight"), m.activate(wide, gate), m.bias(b, m.Down+".bias", m.Bias))
	}
	wide := m.linear(b.Take(m.Up+".weight"), u, m.bias(b, m.Up+".bias", m.Bias))
	var gate []F
	if m.Gate != "" {
		gate = m.linear(b.Take(m.Gate+".weight"), u, m.bias(b, m.Gate+".bias", m.Bias))
		gate = scaled(m.oracle, gate, m.GateScale)
	}
	return m.linear(b.Take(m.Down+".weight"), m.activate(wide, gate), m.bias(b, m.Down+".bias", m.Bias))
}

// activate returns the activation of rows of F values.
func (m *mlp[F]) activate(wide, gate []F) []F {
	for i, v := range wide {
		switch {
		case gate == nil && m.GELU:
			wide[i] = gelu(v)
		case gate == nil:
			v = max(v, 0)
			wide[i] = v * v
		case m.GELU:
			wide[i] = v * narrowed(m.oracle, gelu(gate[i]))
		default:
			wide[i] = v * narrowed(m.oracle, silu(gate[i]))
		}
	}
	return m.narrow(wide)
}

// addLowRank adds the product of two narrow matrices of a module, if it has a name, to a projection y of u.
func (o *oracle[F]) addLowRank(b binder, y, u []F, name string) {
	if name == "" {
		return
	}
	for i, v := range o.linear(b.Take(name+".1.weight"), o.linear(b.Take(name+".0.weight"), u, nil), nil) {
		y[i] += v
	}
	o.narrow(y)
}

// experts is a mixture of experts.
type experts[F constraints.Float] struct {
	*oracle[F]
	*blocks.ExpertSizes
}

// mix is fc2·Σ weight · expert(fc1·u) + shared(u), over the experts that a router chooses for a token.
//
//	u [B·T, D] → [B·T, D]
func (m *experts[F]) mix(b binder, u []F, states []blocks.State[F]) []F {
	weights := m.weights(m.linear(b.Take(m.Router+".weight"), u, nil), m.bias(b, m.Correction, m.Sigmoid)) // [B·T, E]
	x, width := u, len(u)/m.rows
	if m.Latent > 0 {
		x, width = m.linear(b.Take(m.Into+".weight"), u, m.bias(b, m.Into+".bias", m.Bias)), m.Latent
	}
	sum := make([]F, m.rows*width)
	for e := range m.Count {
		var rows []int // whose tokens chose it
		var in []F
		for row := range m.rows {
			if weights[row*m.Count+e] != 0 {
				rows, in = append(rows, row), append(in, x[row*width:][:width]...)
			}
		}
		if len(rows) == 0 || m.stopped() {
			continue
		}
		for i, v := range m.expert(b, e, in) {
			row := rows[i/width]
			sum[row*width+i%width] += narrowed(m.oracle, F(v*weights[row*m.Count+e]))
		}
	}
	y := m.narrow(sum)
	if m.Latent > 0 {
		y = m.linear(b.Take(m.OutOf+".weight"), y, m.bias(b, m.OutOf+".bias", m.Bias))
	}
	if m.Shared != nil {
		shared := mlp[F]{m.oracle, m.Shared}
		for i, v := range shared.mix(b, u, nil) {
			y[i] += v
		}
	}
	return m.narrow(y)
}

// expert is what expert e makes of its rows.
func (m *experts[F]) expert(b binder, e int, in []F) []F {
	one := mlp[F]{m.oracle, &m.Expert}
	return one.mix(within{b, m.Each + strconv.Itoa(e) + "."}, in, nil)
}

// within hands out the tensors whose names begin with a prefix.
type within struct {
	binder
	prefix string
}

// Take implements binder.
func (w within) Take(name string) tensor.Tensor { return w.binder.Take(w.prefix + name) }

// weights returns for every token the weights of all experts [rows, E], which are 0 for those that it does not pass.
func (m *experts[F]) weights(logits, correction []F) []F {
	if m.bind.Err() != nil {
		return make([]F, m.rows*m.Count)
	}
	weights := make([]F, len(logits))
	for row := range m.rows {
		at := row * m.Count
		if m.Sigmoid {
			m.sigmoid(row, weights[at:][:m.Count], logits[at:][:m.Count], correction)
		} else {
			m.softmax(row, weights[at:][:m.Count], logits[at:][:m.Count])
		}
	}
	return m.narrow(weights)
}

// softmax weights the largest logits by their softmax, over all or over these.
func (m *experts[F]) softmax(row int, weights, logits []F) {
	chosen := m.choose(row, logits)
	over := chosen
	if m.OverAll {
		over = largest(logits, m.Count)
	}
	var sum F
	for _, e := range over {
		sum += exp(logits[e] - logits[chosen[0]])
	}
	for _, e := range chosen {
		weights[e] = exp(logits[e]-logits[chosen[0]]) / sum
	}
}

// sigmoid weights by its score each of the experts whose scores, corrected, are the largest within the best groups.
func (m *experts[F]) sigmoid(row int, weights, logits, correction []F) {
	scores, biased := make([]F, m.Count), make([]F, m.Count)
	for e, v := range logits {
		scores[e] = 1 / (1 + exp(-v))
		biased[e] = scores[e] + correction[e]
	}
	chosen, scale := m.choose(row, biased), F(1)
	if m.Normed {
		var sum F
		for _, e := range chosen {
			sum += scores[e]
		}
		scale = 1 / (sum + 1e-20)
	}
	for _, e := range chosen {
		weights[e] = scores[e] * scale * F(m.Scaling)
	}
}

// largest returns the places of the n largest values, the largest first, and of equal ones those that come first.
func largest[F constraints.Float](v []F, n int) []int {
	places := make([]int, len(v))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int {
		switch {
		case v[a] > v[b]:
			return -1
		case v[a] < v[b]:
			return 1
		}
		return 0
	})
	return places[:n]
}
