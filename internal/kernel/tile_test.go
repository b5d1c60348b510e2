package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// TestMatMulChain has so many columns that the sums of one tile are made beside the next one.
func TestMatMulChain(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(17, 18))
		pool := parallel.NewPool(1)
		defer pool.Close()
		for _, cols := range []int{352, 366, 368, 384, 768, 1552, 8208} {
			for _, rows := range []int{4, 78} { // one tile; pieces of up to four tiles, and tiles and a rest
				for _, tokens := range []int{6, 12, 17} {
					for _, kind := range []string{"normal", "ties", "tiny", "special"} {
						testMatMul(t, pool, rng, tensor.F32, rows, cols, tokens, kind)
					}
				}
			}
		}
	})
}
