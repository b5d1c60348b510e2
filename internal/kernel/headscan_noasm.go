//go:build !amd64 || purego

package kernel

func headSteps(sums []float64, h []float32, decay, dt float64, x, b, c []float32) {
	headStepsGeneric(sums, h, decay, dt, x, b, c)
}
