package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// paged lays out rows [tokens, dim] of two heads, the first of which is of large values, as pages of keys and values.
func paged(keyRows, valueRows [][]float32, dim int) (keys, values [][]float32) {
	for t := range keyRows {
		if t%PageTokens == 0 {
			keys, values = append(keys, make([]float32, 2*PageTokens*dim)), append(values, make([]float32, 2*PageTokens*dim))
		}
		i, at := t/PageTokens, t%PageTokens
		for d := range dim {
			keys[i][(dim+d)*PageTokens+at] = keyRows[t][d]
			values[i][(PageTokens+at)*dim+d] = valueRows[t][d]
			keys[i][d*PageTokens+at], values[i][at*dim+d] = 1e30, 1e30 // another head's
		}
	}
	return keys, values
}

// attendTextbook sets out to what a query finds in rows of keys and values.
func attendTextbook(out []float64, q []float32, scale float64, keyRows, valueRows [][]float32) {
	weights, sum := make([]float64, len(keyRows)), 0.0
	for i, k := range keyRows {
		for d, v := range k {
			weights[i] += float64(q[d]) * float64(v) * scale
		}
		weights[i] = math.Exp(weights[i])
		sum += weights[i]
	}
	clear(out)
	for i, w := range weights {
		for d, v := range valueRows[i] {
			out[d] += w / sum * float64(v)
		}
	}
}

// TestAttention holds attention to the formula in float64, and every instruction set and number of positions at once to the bits of
// plain Go and one position after the other. Tokens that a position does not see are infinite or NaN for it.
func TestAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []struct{ dim, group, first, positions int }{
		{8, 2, 0, 5}, {64, 1, 0, 130}, {80, 3, 60, 9}, {128, 5, 127, 2}, {32, 16, 300, 1}, {16, 7, 250, 80},
	} {
		dim, tokens, width := size.dim, size.first+size.positions, size.group*size.dim
		rows := func(n, width int, scale float64) [][]float32 {
			rows := make([][]float32, n)
			for i := range rows {
				for range width {
					rows[i] = append(rows[i], float32(scale*rng.NormFloat64()))
				}
			}
			return rows
		}
		q, keyRows, valueRows := slices.Concat(rows(size.positions, width+3, 2)...), rows(tokens, dim, 1), rows(tokens, dim, 1)
		a := Attention{Dim: dim, Group: size.group, Scale: 1 / math.Sqrt(float64(dim))}
		keys, values := paged(keyRows, valueRows, dim)
		want := make([]float64, dim)
		var plain []float32
		eachISA(t, func(test *testing.T) {
			got := slices.Clone(q)
			a.Run(got, width+3, size.positions, size.first, 1, keys, values)
			for i := range size.positions * size.group {
				at, seen := i/size.group*(width+3)+i%size.group*dim, size.first+i/size.group+1
				attendTextbook(want, q[at:][:dim], a.Scale, keyRows[:seen], valueRows[:seen])
				for d, w := range want {
					if math.Abs(float64(got[at+d])-w) > 1e-6 {
						test.Fatalf("%+v: value %d of query %d is %v, expected %v", size, d, i, got[at+d], w)
					}
				}
			}
			if plain == nil {
				plain = got
			} else if !slices.Equal(got, plain) {
				test.Errorf("%+v: other bits", size)
			}
			unseen := slices.Repeat([][]float32{slices.Repeat([]float32{float32(math.NaN())}, dim)}, size.positions)
			for t := range size.positions {
				seen := size.first + t + 1
				keys, values := paged(slices.Concat(keyRows[:seen], unseen[t+1:]), slices.Concat(valueRows[:seen], unseen[t+1:]), dim)
				one := slices.Clone(q[t*(width+3):][:width])
				a.Run(one, width, 1, seen-1, 1, keys, values)
				if !slices.Equal(one, got[t*(width+3):][:width]) {
					test.Fatalf("%+v: position %d has other bits alone", size, t)
				}
			}
		})
	}
}

// BenchmarkAttention measures positions after others in a context, with the heads of Nemotron-3-Nano-4B on one thread.
func BenchmarkAttention(b *testing.B) {
	const dim, group, context = 128, 5, 4096
	rng := rand.New(rand.NewPCG(1, 2))
	a := Attention{Dim: dim, Group: group, Scale: 1 / math.Sqrt(dim)}
	var keys, values [][]float32
	for range context / PageTokens {
		keys, values = append(keys, vectors(rng, PageTokens*dim, "normal")), append(values, vectors(rng, PageTokens*dim, "normal"))
	}
	for _, positions := range []int{1, a.Positions()} {
		q := vectors(rng, positions*group*dim, "normal")
		b.Run(fmt.Sprintf("positions=%d", positions), func(b *testing.B) {
			for b.Loop() {
				a.Run(slices.Clone(q), group*dim, positions, context-positions, 0, keys, values)
			}
			b.ReportMetric(2*float64(b.N)*float64(positions)*group*context*dim/b.Elapsed().Seconds()/1e9, "multiply-adds/ns")
		})
	}
}
