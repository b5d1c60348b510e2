//go:build !purego

package kernel

// fours returns how many of n elements the assembly takes, four at a time.
func fours(n int) int {
	if !useAVX2 {
		return 0
	}
	return n &^ 3
}

func negExp(a, aLog []float32) {
	n := fours(len(aLog))
	if n > 0 {
		negExpAVX2(&a[0], &aLog[0], n)
	}
	negExpGeneric(a[n:], aLog[n:])
}

func softplusRow(dt, bias []float32) {
	n := fours(len(bias))
	if n > 0 {
		softplusAVX2(&dt[0], &bias[0], n)
	}
	softplusRowGeneric(dt[n:], bias[n:])
}

func gate(y []float32, sums []float64, d, x, z []float32) {
	y, d, x, z = y[:len(sums)], d[:len(sums)], x[:len(sums)], z[:len(sums)]
	n := fours(len(sums))
	if n > 0 {
		gateAVX2(&y[0], &sums[0], &d[0], &x[0], &z[0], n)
	}
	gateGeneric(y[n:], sums[n:], d[n:], x[n:], z[n:])
}

func convRow(out []float32, rows [][]float32, taps []float32, tapStride int, bias []float32) {
	n := fours(len(bias))
	if n > 0 {
		_, _ = out[n-1], taps[(len(rows)-1)*tapStride+n-1]
		for _, row := range rows {
			_ = row[n-1]
		}
		convAVX2(&out[0], &rows[0], &taps[0], tapStride, &bias[0], len(rows), n)
	}
	convRowGeneric(out, rows, taps, tapStride, bias, n)
}
