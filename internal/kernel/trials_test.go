package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestTrials: every instruction set rounds to the same codes and adds in the same order as plain Go.
func TestTrials(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		for _, n := range []int{1, 2, 16, 31, 32, 256} {
			for _, codes := range [][2]float32{{-8, 7}, {0, 15}, {-127, 127}} {
				x, w := vectors(rng, n, "normal"), vectors(rng, n, "normal")
				var got, want Trials
				for i := range got.S {
					got.S[i], got.M[i] = (rng.Float32()-0.2)*8/codes[1], rng.Float32()*3
				}
				got.S[3], got.M[5] = 0, 0
				for i, v := range x {
					w[i] *= w[i]
					got.Sum += w[i]
					got.First += w[i] * v
					got.Squares += w[i] * v * v
				}
				got.PerSum = 1 / got.Sum
				want = got
				got.Round(x, w, codes[0], codes[1])
				roundTrialsGeneric(&want, x, w, codes[0], codes[1])
				if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w { // as numbers that are not, too
					t.Fatalf("%d values, codes %v: %s, want %s", n, codes, g, w)
				}
				wx := make([]float32, n)
				for i, v := range x {
					wx[i] = w[i] * v
				}
				got.Scan(x, w, wx, codes[0], codes[1])
				scanTrialsGeneric(&want, x, w, wx, codes[0], codes[1])
				if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
					t.Fatalf("%d values, codes %v: scanned %s, want %s", n, codes, g, w)
				}
			}
		}
	})
}
