package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
)

// TestActivations holds the activations of feed-forward blocks to their definitions, value by value, and leaves alone what lies
// between rows.
func TestActivations(t *testing.T) {
	pool := parallel.NewPool(3)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(61, 62))
		for _, kind := range []string{"normal", "tiny", "special", "nan"} {
			for _, width := range []int{1, 7, 64, 77, activatedAtOnce + 70} {
				const rows, gap = 3, 5
				stride := width + gap
				up, gates := vectors(rng, rows*stride, kind), vectors(rng, rows*stride, kind)
				gated, gelued, squared := slices.Clone(up), slices.Clone(up), slices.Clone(up)
				for row := range rows {
					for i := row * stride; i < row*stride+width; i++ {
						gated[i] = float32((0 + float64(up[i])) * silu(float64(gates[i]))) // no sign of an up that is 0
						gate := float64(gates[i])
						gelued[i] = float32(gate / 2 * (1 + math.Erf(gate/math.Sqrt2)) * float64(up[i]))
						if !(up[i] < 0) {
							squared[i] = up[i] * up[i]
						} else {
							squared[i] = 0
						}
					}
				}
				got := slices.Clone(up)
				SwiGLU(pool, got, gates, 1, stride, width, rows)
				if !slices.EqualFunc(got, gated, sameFloat) {
					t.Errorf("SwiGLU of %d values, %s, is not what defines it", width, kind)
				}
				got = slices.Clone(up)
				GeGLU(pool, got, gates, stride, width, rows)
				if !slices.EqualFunc(got, gelued, sameFloat) {
					t.Errorf("GeGLU of %d values, %s, is not what defines it", width, kind)
				}
				SquaredReLU(pool, up, stride, width, rows)
				if !slices.EqualFunc(up, squared, sameFloat) {
					t.Errorf("squared ReLU of %d values, %s, is not what defines it", width, kind)
				}
			}
		}
	})
}
