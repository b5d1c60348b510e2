//go:build !purego

package kernel

// whole returns how many of n elements the assembly takes, in vectors of 4 or with AVX-512 of 8.
func whole(n int) int {
	switch {
	case useAVX512:
		return n &^ 7
	case useAVX2:
		return n &^ 3
	}
	return 0
}

func negExp(a, aLog []float32) {
	n := whole(len(aLog))
	switch {
	case n == 0:
	case useAVX512:
		negExpAVX512(&a[0], &aLog[0], n)
	default:
		negExpAVX2(&a[0], &aLog[0], n)
	}
	negExpGeneric(a[n:], aLog[n:])
}

// wholeSingles is whole for the assembly that computes in float32, in vectors of 8 or 16.
func wholeSingles(n int) int {
	switch {
	case useAVX512:
		return n &^ 15
	case useAVX2:
		return n &^ 7
	}
	return 0
}

func softplusRow(dt, bias []float32) {
	n := wholeSingles(len(bias))
	switch {
	case n == 0:
	case useAVX512:
		softplusAVX512(&dt[0], &bias[0], n)
	default:
		softplusAVX2(&dt[0], &bias[0], n)
	}
	softplusRowGeneric(dt[n:], bias[n:])
}

func gate(y []float32, sums []float64, d, x, z []float32) {
	y, d, x, z = y[:len(sums)], d[:len(sums)], x[:len(sums)], z[:len(sums)]
	n := whole(len(sums))
	switch {
	case n == 0:
	case useAVX512:
		gateAVX512(&y[0], &sums[0], &d[0], &x[0], &z[0], n)
	default:
		gateAVX2(&y[0], &sums[0], &d[0], &x[0], &z[0], n)
	}
	gateGeneric(y[n:], sums[n:], d[n:], x[n:], z[n:])
}

func convRow(out []float32, rows [][]float32, taps []float32, tapStride int, bias []float32) {
	n := whole(len(bias))
	if n > 0 {
		_, _ = out[n-1], taps[(len(rows)-1)*tapStride+n-1]
		for _, row := range rows {
			_ = row[n-1]
		}
	}
	switch {
	case n == 0:
	case useAVX512:
		convAVX512(&out[0], &rows[0], &taps[0], tapStride, &bias[0], len(rows), n)
	default:
		convAVX2(&out[0], &rows[0], &taps[0], tapStride, &bias[0], len(rows), n)
	}
	convRowGeneric(out, rows, taps, tapStride, bias, n)
}
