//go:build !amd64 || purego

package kernel

func addSquares(lane *[8]float64, x []float32)       { addSquaresGeneric(lane, x) }
func scaleRow(y, x, weight []float32, scale float64) { scaleRowGeneric(y, x, weight, scale) }
func addTo(y, x []float32)                           { addToGeneric(y, x) }
