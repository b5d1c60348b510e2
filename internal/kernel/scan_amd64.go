//go:build !purego

package kernel

func scanSteps(sums []float64, h, a, b, c, dt, x []float32) {
	if !useAVX2 || len(b)%8 != 0 {
		scanStepsGeneric(sums, h, a, b, c, dt, x)
		return
	}
	h, a = h[:len(sums)*len(b)], a[:len(sums)*len(b)]
	c, dt, x = c[:len(b)], dt[:len(sums)], x[:len(sums)]
	scanStepAVX2(&h[0], &a[0], &b[0], &c[0], &dt[0], &x[0], &sums[0], len(b), len(sums))
}
