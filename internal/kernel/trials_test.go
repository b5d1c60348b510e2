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
				for i := range got.T {
					got.T[i], got.B[i] = codes[1]*(0.2+rng.Float32()), rng.Float32()*3
				}
				want = got
				got.Round(x, w, codes[0], codes[1])
				roundTrialsGeneric(&want, x, w, codes[0], codes[1])
				if got != want {
					t.Fatal(fmt.Sprintf("%d values, codes %v:", n, codes), got, "want", want)
				}
			}
		}
	})
}
