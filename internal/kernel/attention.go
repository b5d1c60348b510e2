package kernel

import (
	"math"
	"sync"
)

// PageTokens is how many tokens make a page of keys or values. Pages begin at multiples of it, whatever the pieces in which a
// sequence comes, so that sums over tokens have one order.
const PageTokens = 64

// Attention is the attention of one query head, softmax(q·kᵀ·Scale)·v, page after page with a running maximum and a running
// sum (Milakov and Gimelshein 2018, algorithm 3; Dao and others 2022, FlashAttention, algorithm 1).
type Attention struct {
	Dim   int // of a head
	Scale float64
}

// attended is the memory of one Run.
type attended struct {
	scores [PageTokens]float32
	part   []float32 // [Dim]
	sums   []float64 // [Dim]
}

var attentions = sync.Pool{New: func() any { return new(attended) }}

// Run sets out [Dim] to what the query q [Dim] finds in the first tokens of head. A page of keys is [heads, PageTokens, Dim],
// one of values [heads, Dim, PageTokens], with zeros after the last token. out may be q.
//
// Scores and their products with values are dot products, added to the sums in float64; a weight, exp(score - maximum), is a
// float32, and the same one in both sums.
func (a *Attention) Run(out, q []float32, head int, keys, values [][]float32, tokens int) {
	s := attentions.Get().(*attended)
	defer attentions.Put(s)
	if len(s.part) != a.Dim {
		s.part, s.sums = make([]float32, a.Dim), make([]float64, a.Dim)
	}
	clear(s.sums)
	size, most, sum := PageTokens*a.Dim, math.Inf(-1), 0.0
	for i := 0; i*PageTokens < tokens; i++ {
		n := min(PageTokens, tokens-i*PageTokens)
		scores := s.scores[:n]
		dots(scores, keys[i][head*size:][:n*a.Dim], q[:a.Dim])
		top := most
		for _, v := range scores {
			top = max(top, float64(float64(v)*a.Scale))
		}
		for j, v := range scores {
			scores[j] = float32(float64(float64(v)*a.Scale) - top)
		}
		NegExp(scores, scores) // all weights are negative, which their quotient does not show
		clear(s.scores[n:])
		dots(s.part, values[i][head*size:][:size], s.scores[:])
		kept := exp(most - top)
		sum *= kept
		for _, w := range scores {
			sum += float64(w)
		}
		for d, v := range s.part {
			s.sums[d] = float64(s.sums[d]*kept) + float64(v)
		}
		most = top
	}
	for d, v := range s.sums {
		out[d] = float32(v / sum)
	}
}

// dots sets y to the dot products of rows of w, as long as x, with x.
func dots(y, w, x []float32) {
	if len(x)%lanes == 0 {
		mulFloats(y, w, x)
		return
	}
	for r := range y {
		y[r] = dotGeneric(w[r*len(x):][:len(x)], x)
	}
}
