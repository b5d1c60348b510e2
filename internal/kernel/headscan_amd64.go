//go:build !purego

package kernel

func headSteps(sums []float64, h []float32, decay, dt float64, x, b, c []float32) {
	if !useAVX2 || len(b)%8 != 0 || len(sums) == 0 {
		headStepsGeneric(sums, h, decay, dt, x, b, c)
		return
	}
	states := len(b)
	h, x, c = h[:len(sums)*states], x[:len(sums)], c[:states]
	pairs := len(sums) / 2
	if pairs > 0 {
		headStepTwoAVX2(&sums[0], &h[0], decay, dt, &x[0], &b[0], &c[0], states, pairs)
	}
	if done := 2 * pairs; done < len(sums) {
		headStepOneAVX2(&sums[done], &h[done*states], decay, dt, &x[done], &b[0], &c[0], states, 1)
	}
}
