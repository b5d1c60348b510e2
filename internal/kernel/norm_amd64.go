//go:build !purego

package kernel

func addSquares(lane *[8]float64, x []float32) {
	n := len(x) &^ 7
	switch {
	case n == 0 || !useAVX2:
		n = 0
	case useAVX512:
		addSquaresAVX512(&lane[0], &x[0], n)
	default:
		addSquaresAVX2(&lane[0], &x[0], n)
	}
	addSquaresGeneric(lane, x[n:])
}

func scaleRow(y, x, weight []float32, scale float64) {
	n := whole(len(x))
	switch {
	case n == 0:
	case useAVX512:
		scaleRowAVX512(&y[0], &x[0], &weight[0], scale, n)
	default:
		scaleRowAVX2(&y[0], &x[0], &weight[0], scale, n)
	}
	scaleRowGeneric(y[n:], x[n:], weight[n:], scale)
}

func addTo(y, x []float32) {
	n := len(y) &^ 15
	switch {
	case n == 0 || !useAVX2:
		n = 0
	case useAVX512:
		addToAVX512(&y[0], &x[0], n)
	default:
		addToAVX2(&y[0], &x[0], n)
	}
	addToGeneric(y[n:], x[n:])
}
