//go:build !amd64 || purego

package kernel

func negExp(a, aLog []float32)       { negExpGeneric(a, aLog) }
func softplusRow(dt, bias []float32) { softplusRowGeneric(dt, bias) }

func gate(y []float32, sums []float64, d, x, z []float32) { gateGeneric(y, sums, d, x, z) }

func convRow(out []float32, rows [][]float32, taps []float32, tapStride int, bias []float32) {
	convRowGeneric(out, rows, taps, tapStride, bias, 0)
}
