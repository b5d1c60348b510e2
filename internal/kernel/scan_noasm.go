//go:build !amd64 || purego

package kernel

func scanSteps(sums []float64, h, a, b, c, dt, x []float32) {
	scanStepsGeneric(sums, h, a, b, c, dt, x)
}

func (s *Scan) steps(r *ScanRows, sums []float64, h []float32, lo, hi int) {
	s.stepsInTurn(r, sums, h, lo, hi)
}
