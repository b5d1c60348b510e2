//go:build !amd64 || purego

package kernel

func scanSteps(sums []float64, h, rate, b, c, dt, x []float32) {
	scanStepsGeneric(sums, h, rate, b, c, dt, x)
}

func (s *Scan) steps(r *ScanRows, sums []float64, h []float32, lo, hi int) {
	s.stepsInTurn(r, sums, h, lo, hi)
}
