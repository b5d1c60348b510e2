package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestConvOfBlocksMatchesRows holds the convolution that keeps its window in registers to the bits of the one that goes by
// rows, and to the channels it was told.
func TestConvOfBlocksMatchesRows(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(31, 32))
		for _, kind := range []string{"normal", "tiny", "special", "nan"} {
			for range 100 {
				channels, tokens := 16*(1+rng.IntN(4))+rng.IntN(16), 1+rng.IntN(9)
				lo := rng.IntN(channels)
				hi := lo + rng.IntN(channels-lo+1)
				c := NewConv(vectors(rng, channels*4, kind), vectors(rng, channels, kind), channels)
				in, state := vectors(rng, tokens*(channels+3), kind), vectors(rng, channels*4, kind)
				want, got := make([]float32, tokens*(channels+1)), make([]float32, tokens*(channels+1))
				wantState, gotState := slices.Clone(state), slices.Clone(state)
				c.byRows(want, channels+1, in, channels+3, wantState, tokens, lo, hi)
				c.Run(got, channels+1, in, channels+3, gotState, tokens, lo, hi)
				if !slices.EqualFunc(got, want, sameFloat) || !slices.EqualFunc(gotState, wantState, sameFloat) {
					t.Fatalf("%d channels, %d to %d, %d tokens, %s: other bits than by rows", channels, lo, hi, tokens, kind)
				}
			}
		}
	})
}
