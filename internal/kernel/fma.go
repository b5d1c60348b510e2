package kernel

import "math"

const lanes = 16 // float32 accumulators of one dot product

// fma returns x·y + z rounded once: where a formula fuses, it says so, and means it on every machine.
func fma(x, y, z float64) float64 { return math.FMA(x, y, z) }
