package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// paged lays out rows [tokens, dim] of two heads, the second of which is the first one's reverse, as pages of keys and values.
func paged(keyRows, valueRows [][]float32, dim int) (keys, values [][]float32) {
	for t := range keyRows {
		if t%PageTokens == 0 {
			keys, values = append(keys, make([]float32, 2*PageTokens*dim)), append(values, make([]float32, 2*PageTokens*dim))
		}
		i, at := t/PageTokens, t%PageTokens
		for d := range dim {
			keys[i][(PageTokens+at)*dim+d] = keyRows[t][d]
			values[i][(dim+d)*PageTokens+at] = valueRows[t][d]
			keys[i][at*dim+d], values[i][d*PageTokens+at] = 1e30, 1e30 // another head's
		}
	}
	return keys, values
}

// TestAttention holds attention to the formula in float64, and every instruction set to the bits of plain Go.
func TestAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{8, 64, 80} {
		for _, tokens := range []int{1, 63, 64, 65, 300} {
			random := func(scale float64) [][]float32 {
				rows := make([][]float32, tokens)
				for i := range rows {
					for range dim {
						rows[i] = append(rows[i], float32(scale*rng.NormFloat64()))
					}
				}
				return rows
			}
			q, keyRows, valueRows := random(2)[0], random(1), random(1)
			keys, values := paged(keyRows, valueRows, dim)
			a := Attention{Dim: dim, Scale: 1 / math.Sqrt(float64(dim))}

			weights, sum := make([]float64, tokens), 0.0
			for i, k := range keyRows {
				for d := range dim {
					weights[i] += float64(q[d]) * float64(k[d]) * a.Scale
				}
				weights[i] = math.Exp(weights[i])
				sum += weights[i]
			}
			var plain []float32
			eachISA(t, func(t *testing.T) {
				got := slices.Clone(q)
				a.Run(got, got, 1, keys, values, tokens)
				for d := range dim {
					want := 0.0
					for i, w := range weights {
						want += w / sum * float64(valueRows[i][d])
					}
					if math.Abs(float64(got[d])-want) > 1e-6 {
						t.Errorf("%d tokens, dim %d: value %d is %v, expected %v", tokens, dim, d, got[d], want)
					}
				}
				if plain == nil {
					plain = got
				} else if !slices.Equal(got, plain) {
					t.Errorf("%d tokens, dim %d: other bits", tokens, dim)
				}
			})
		}
	}
}
