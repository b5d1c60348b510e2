package model

import (
	"math"

	"github.com/gomamba/gomamba/internal/kernel"
)

// route is a token that passes an expert.
type route struct {
	row    int // of the chunk
	weight float64
}

// routes say which experts the tokens of a chunk pass. One mixture after the other uses the same memory.
type routes struct {
	sorted []route // by expert, then by row
	starts []int   // [E+1] of each expert among them

	experts []int     // [tokens, k], ascending
	weights []float64 // [tokens, k]
	rows    []int     // [tokens]

	// What is passing experts now: to [rows, width] gets what they make of from [rows, width].
	passing  []route
	from, to []float32
	width    int
	whole    []span // of each expert

	scores, biased, groups []float64 // of one token: [E], [E], [Groups]
	taken                  []bool    // [E]
}

// of returns the tokens that pass expert e.
func (r *routes) of(e int) []route { return r.sorted[r.starts[e]:r.starts[e+1]] }

// choose fills r with what the logits of a router [B·T, E] decide, for every row that holds a token.
func (r *routes) choose(m *experts, c *chunk, logits []float32) {
	r.experts, r.weights, r.rows = r.experts[:0], r.weights[:0], r.rows[:0]
	for _, s := range c.spans {
		for row := s.from; row < s.from+s.tokens; row++ {
			r.rows = append(r.rows, row)
			r.token(m, logits[row*m.Count:][:m.Count])
		}
	}
	r.sort(m.Count, m.Chosen)
}

// sort makes of the tokens' experts the experts' tokens.
func (r *routes) sort(experts, chosen int) {
	r.starts = resized(r.starts, experts+2)
	clear(r.starts)
	for _, e := range r.experts {
		r.starts[e+2]++
	}
	for e := range experts {
		r.starts[e+2] += r.starts[e+1]
	}
	r.sorted = resized(r.sorted, len(r.experts))
	for i, e := range r.experts {
		r.sorted[r.starts[e+1]] = route{r.rows[i/chosen], r.weights[i]}
		r.starts[e+1]++
	}
}

// token appends the experts of one token, in ascending order, and their weights. Scores are float64 from the logits on.
func (r *routes) token(m *experts, logits []float32) {
	r.scores, r.biased = resized(r.scores, m.Count), resized(r.biased, m.Count)
	for e, v := range logits {
		r.scores[e], r.biased[e] = float64(v), float64(v)
		if m.Sigmoid {
			r.scores[e] = 1 / (1 + kernel.Exp(-float64(v)))
			r.biased[e] = r.scores[e] + float64(m.correction[e])
		}
	}
	if m.Sigmoid && m.Groups > 1 {
		r.keepGroups(m.Groups, m.ChosenGroups)
	}
	first := len(r.experts)
	top := r.largest(r.biased, m.Chosen)
	for e, taken := range r.taken {
		if taken {
			r.experts, r.weights = append(r.experts, e), append(r.weights, r.scores[e])
		}
	}
	weights, sum := r.weights[first:], 0.0
	if !m.Sigmoid {
		for i, v := range weights {
			weights[i] = kernel.Exp(v - top)
		}
	}
	if m.OverAll {
		for _, v := range r.scores {
			sum += kernel.Exp(v - top)
		}
	} else {
		for _, w := range weights {
			sum += w
		}
	}
	switch {
	case !m.Sigmoid:
		sum = 1 / sum
	case m.Normed:
		sum = m.Scaling / (sum + 1e-20)
	default:
		sum = m.Scaling
	}
	for i := range weights {
		weights[i] *= sum
	}
}

// keepGroups takes the experts out of choice that are not in one of the chosen best of a number of groups, by the sum of the two
// best scores of each.
func (r *routes) keepGroups(groups, chosen int) {
	r.groups = resized(r.groups, groups)
	size := len(r.biased) / groups
	for g := range r.groups {
		first, second := math.Inf(-1), math.Inf(-1)
		for _, v := range r.biased[g*size:][:size] {
			if v > first || v != v {
				first, second = v, first
			} else if v > second {
				second = v
			}
		}
		r.groups[g] = first
		if size > 1 {
			r.groups[g] += second
		}
	}
	r.largest(r.groups, chosen)
	for e := range r.biased {
		if !r.taken[e/size] {
			r.biased[e] = math.Inf(-1)
		}
	}
}

// largest marks in r.taken the n largest of v, of equal ones those that come first, and returns the largest. NaN is larger than
// any number, so that it shows in the result.
func (r *routes) largest(v []float64, n int) (top float64) {
	r.taken = resized(r.taken, len(v))
	clear(r.taken)
	for i := range n {
		best := -1
		for e, x := range v {
			if !r.taken[e] && (best < 0 || x > v[best] || x != x && v[best] == v[best]) {
				best = e
			}
		}
		r.taken[best] = true
		if i == 0 {
			top = v[best]
		}
	}
	return top
}
