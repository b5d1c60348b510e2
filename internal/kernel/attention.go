package kernel

import (
	"math"
	"slices"
	"sync"
)

// PageTokens is how many tokens make a page of keys or values. Pages begin at multiples of it, whatever the pieces in which a
// sequence comes, so that sums over tokens have one order.
const PageTokens = 64

// queriesAtOnce is about how many queries are computed against a page while it is in a cache.
const queriesAtOnce = 64

// Attention is causal attention, softmax(q·kᵀ·Scale)·v, of the query heads that share a head of keys and values. It goes through
// pages with a running maximum and a running sum for each query (Milakov and Gimelshein 2018, algorithm 3; Dao and others 2022,
// FlashAttention, algorithm 1). A query's result does not depend on the queries beside it.
//
// Scores and sums of values are those of addRows, in float64. A weight, exp(score·Scale - maximum), is a float32, and the same one
// in both sums.
type Attention struct {
	Dim   int // of a head
	Group int // query heads
	Scale float64
}

// Positions returns how many positions to give Run at once when there are many.
func (a *Attention) Positions() int { return max(1, queriesAtOnce/a.Group) }

// attended is the memory of one Run, of some queries.
type attended struct {
	q, weights   []float32 // [queries, Dim], [queries, PageTokens]
	scores, sums []float64 // [queries, PageTokens], [queries, Dim]
	most, total  []float64 // [queries] the largest score and the sum of weights so far
}

var attentions = sync.Pool{New: func() any { return new(attended) }}

// Run replaces queries by their results: those of some positions from first on, rows stride apart, each [Group, Dim]. A query sees
// the tokens up to its own position. A page of keys is [heads, Dim, PageTokens], one of values [heads, PageTokens, Dim]; head
// is the one to look in. What they hold after the last token does not matter.
func (a *Attention) Run(q []float32, stride, positions, first, head int, keys, values [][]float32) {
	s := attentions.Get().(*attended)
	defer attentions.Put(s)
	s.begin(a, q, stride, positions)
	size := PageTokens * a.Dim
	for page := range (first+positions-1)/PageTokens + 1 {
		s.page(a, keys[page][head*size:][:size], values[page][head*size:][:size], positions, first+1-page*PageTokens)
	}
	width := a.Group * a.Dim
	for t := range positions {
		out := q[t*stride:][:width]
		for i, v := range s.sums[t*width:][:width] {
			out[i] = float32(v / s.total[t*a.Group+i/a.Dim])
		}
	}
}

// begin makes room for the queries, and copies them.
func (s *attended) begin(a *Attention, q []float32, stride, positions int) {
	n, width := positions*a.Group, a.Group*a.Dim
	s.q, s.sums = slices.Grow(s.q[:0], n*a.Dim)[:n*a.Dim], slices.Grow(s.sums[:0], n*a.Dim)[:n*a.Dim]
	s.weights, s.scores = slices.Grow(s.weights[:0], n*PageTokens)[:n*PageTokens], slices.Grow(s.scores[:0], n*PageTokens)[:n*PageTokens]
	s.most, s.total = slices.Grow(s.most[:0], n)[:n], slices.Grow(s.total[:0], n)[:n]
	for t := range positions {
		copy(s.q[t*width:][:width], q[t*stride:])
	}
	for i := range s.most {
		s.most[i] = math.Inf(-1)
	}
	clear(s.total)
	clear(s.sums)
}

// page adds what a page gives to the sums of all queries. The first position sees seen of its tokens, or all if it has less, and
// each other one a token more than the one before.
func (s *attended) page(a *Attention, keys, values []float32, positions, seen int) {
	most := min(PageTokens, roundUp(seen+positions-1))
	clear(s.scores)
	addRows(s.scores, PageTokens, s.q, a.Dim, keys, PageTokens, a.Dim, len(s.most), most)
	if seen >= PageTokens {
		for query := range s.most {
			s.weigh(a, query, PageTokens)
		}
		addRows(s.sums, a.Dim, s.weights, PageTokens, values, a.Dim, PageTokens, len(s.most), a.Dim)
		return
	}
	// A position does not add values that it does not see: a weight of 0 makes NaN of what is infinite.
	for t := max(0, 1-seen); t < positions; t++ {
		n, query := min(PageTokens, seen+t), t*a.Group
		for i := range a.Group {
			s.weigh(a, query+i, n)
		}
		addRows(s.sums[query*a.Dim:], a.Dim, s.weights[query*PageTokens:], PageTokens, values, a.Dim, n, a.Group, a.Dim)
	}
}

// weigh makes weights of the first n scores of a query, and scales its sums down if there is a new maximum among them.
func (s *attended) weigh(a *Attention, query, n int) {
	scores := s.scores[query*PageTokens:][:PageTokens]
	for i := n; i < PageTokens; i++ {
		scores[i] = math.Inf(-1)
	}
	before := s.most[query]
	top, sum := cpu.weigh(&s.weights[query*PageTokens], &scores[0], a.Scale, before)
	if kept := exp(before - top); kept != 1 {
		s.total[query] *= kept
		for i, v := range s.sums[query*a.Dim:][:a.Dim] {
			s.sums[query*a.Dim+i] = v * kept
		}
	}
	s.most[query], s.total[query] = top, s.total[query]+sum
}

// weighGeneric sets w[i] = exp(scores[i]·scale - top), rounded to float32, where top is the largest of them, and of most, and returns
// top and the sum of w in lanes, element i in lane i mod 8. What is in scores afterwards means nothing. A NaN is never the maximum, but is a weight.
func weighGeneric(w *[PageTokens]float32, scores *[PageTokens]float64, scale, most float64) (top, sum float64) {
	top = most
	for i, v := range scores {
		scores[i] = float64(v * scale)
		if scores[i] > top {
			top = scores[i]
		}
	}
	var lane [8]float64
	for i, v := range scores {
		w[i] = float32(exp(v - top))
		lane[i%8] += float64(w[i])
	}
	return top, sum8(&lane)
}

// addedAtOnce is how many products addRows adds in float32.
const addedAtOnce = 8

// addRows adds Σ_i x[r·xStride + i]·w[i·wStride:] for i < n, columns values, to y[r·yStride:] for each of some rows r. Sums of
// addedAtOnce products, from i = 0 on, are float32, one fused multiply-add after the other; they are added in float64.
func addRows(y []float64, yStride int, x []float32, xStride int, w []float32, wStride, n, rows, columns int) {
	if done := whole(columns); done > 0 {
		_, _, _ = y[(rows-1)*yStride+done-1], x[(rows-1)*xStride+n-1], w[(n-1)*wStride+done-1]
		cpu.addRows(&y[0], yStride, &x[0], xStride, &w[0], wStride, n, rows, done)
		y, w, columns = y[done:], w[done:], columns-done
	}
	if columns > 0 {
		addRowsGeneric(y, yStride, x, xStride, w, wStride, n, rows, columns)
	}
}

func addRowsGeneric(y []float64, yStride int, x []float32, xStride int, w []float32, wStride, n, rows, columns int) {
	for r := range rows {
		for from := 0; from < n; from += addedAtOnce {
			part := x[r*xStride+from:][:min(addedAtOnce, n-from)]
			for column := 0; column < columns; column += lanes {
				out := y[r*yStride+column:][:min(lanes, columns-column)]
				var sums [lanes]single
				for i, v := range part {
					for c, factor := range w[(from+i)*wStride+column:][:len(out)] {
						sums[c] = fma32(single(v), single(factor), sums[c])
					}
				}
				for c := range out {
					out[c] += float64(sums[c])
				}
			}
		}
	}
}
