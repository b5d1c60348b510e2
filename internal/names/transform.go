package names

import (
	"fmt"
	"math"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/tensor"
)

// LogNeg sets aLog[i] to a value whose -exp, as kernel.NegExp computes it, is a[i] to the bit, where there is one.
// A_log of 16 bits comes back exactly; of several float32 values with the same -exp the simplest is taken: one that a
// bfloat16 or float16 can hold if there is one, else the nearest to log(-a). Where no float32 has this -exp, which
// happens only to an a that was not made from one, it is the float32 nearest to log(-a).
// A value that is not a finite negative number has no logarithm: that is an error, with its index.
func LogNeg(aLog, a []float32) error {
	for i, v := range a {
		if !(v < 0) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("element %d is %v, expected a finite negative number: A = -exp(A_log)", i, v)
		}
		aLog[i] = logNeg(v)
	}
	return nil
}

func logNeg(a float32) float32 {
	nearest := float32(math.Log(-float64(a)))
	up, down := nearest, nearest
	candidates := []float32{
		tensor.BF16ToF32(tensor.F32ToBF16(nearest)), tensor.F16ToF32(tensor.F32ToF16(nearest)), nearest,
	}
	for range 2 {
		up, down = math.Nextafter32(up, math.MaxFloat32), math.Nextafter32(down, -math.MaxFloat32)
		candidates = append(candidates, up, down)
	}
	back := make([]float32, len(candidates))
	kernel.NegExp(back, candidates)
	for i, v := range back {
		if v == a {
			return candidates[i]
		}
	}
	return nearest
}
