package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestNormMatchesGeneric holds the parts of the RMS norm and the residual connection to the bits of the plain ones, at every
// length around the width of a vector.
func TestNormMatchesGeneric(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(51, 52))
		for _, kind := range []string{"normal", "tiny", "special", "nan"} {
			for n := range 100 {
				x, y, weight := vectors(rng, n, kind), vectors(rng, n, kind), vectors(rng, n, kind)
				var want [8]float64
				got := squares(x)
				addSquaresGeneric(&want, x)
				for i := range got {
					if math.Float64bits(got[i]) != math.Float64bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) {
						t.Fatalf("%d values, %s: lane %d holds %g, plainly %g", n, kind, i, got[i], want[i])
					}
				}
				fast, plain := slices.Clone(y), slices.Clone(y)
				Add(fast, x)
				addToGeneric(plain, x)
				if !slices.EqualFunc(fast, plain, sameFloat) {
					t.Fatalf("%d values, %s: other sums than plainly", n, kind)
				}
				scaleRow(fast, x, weight, 0.37)
				scaleRowGeneric(plain, x, weight, 0.37)
				if !slices.EqualFunc(fast, plain, sameFloat) {
					t.Fatalf("%d values, %s: other products than plainly", n, kind)
				}
			}
		}
	})
}
