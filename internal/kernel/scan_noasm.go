//go:build !amd64 || purego

package kernel

func scanSteps(sums []float64, h, rate, b, c, dt, x []float32) {
	scanStepsGeneric(sums, h, rate, b, c, dt, x)
}

// scanStates are the states of some channels on their way through a scan.
type scanStates struct {
	*Scan
	h      []float32 // of all channels
	lo, hi int
}

func (s *Scan) begin(h []float32, _ int) scanStates { return scanStates{Scan: s, h: h} }

func (s *scanStates) end() {}

func (s *scanStates) take(lo, hi int) { s.lo, s.hi = lo, hi }

func (s *scanStates) put() {}

func (s *scanStates) step(r, _ *ScanRows, sums []float64) { s.stepsInTurn(r, sums, s.h, s.lo, s.hi) }
