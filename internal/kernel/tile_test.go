package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/tensor"
)

// TestMatMulChain has so many columns that the sums of one tile are made beside the next one.
func TestMatMulChain(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	pool := NewPool(1)
	defer pool.Close()
	for _, cols := range []int{352, 366, 368, 384, 768, 1552} {
		for _, rows := range []int{4, 78} { // one tile; pieces of up to four tiles, and tiles and a rest
			for _, tokens := range []int{6, 12, 17} {
				for _, kind := range []string{"normal", "ties", "tiny", "special"} {
					testMatMul(t, pool, rng, tensor.F32, rows, cols, tokens, kind)
				}
			}
		}
	}
}

// TestTileParts has so many columns that tiles take them in two and three parts.
func TestTileParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	const rows, tokens = 14, 17
	for _, cols := range []int{8208, 16400} {
		w, x := vectors(rng, rows*cols, "normal"), vectors(rng, tokens*cols, "normal")
		got, want := make([]float32, tokens*rows), make([]float32, tokens*rows)
		mulTile(got, rows, w, x, cols, cols, rows, tokens, nil)
		mulTileGeneric(want, rows, w, x, cols, cols, rows, tokens)
		if !slices.EqualFunc(got, want, sameFloat) {
			t.Errorf("%d columns: differ", cols)
		}
	}
}
