//go:build !amd64 || purego

package kernel

func stepHead(sums []float64, h []float32, dt float64, high, low float32, x, b, c []float32) {
	stepHeadGeneric(sums, h, dt, high, low, x, b, c)
}

func (s *HeadScan) steps(steps *headSteps, r, _ *ScanRows, sums []float64, h []float32, lo, hi int) {
	s.stepsInTurn(steps, r, sums, h, lo, hi)
}
