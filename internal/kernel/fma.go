package kernel

import "math"

const lanes = 16 // float32 accumulators of one dot product

// fma returns x·y + z rounded once: where a formula fuses, it says so, and means it on every machine.
func fma(x, y, z float64) float64 { return math.FMA(x, y, z) }

// FusedAdd sets sum += w·x, rounding each element once, as a product of matrices does that keeps its sums in registers.
func FusedAdd(sum, x []float32, w float32) {
	x = x[:len(sum)]
	for i, v := range x {
		sum[i] = float32(fma32(single(w), single(v), single(sum[i])))
	}
}
