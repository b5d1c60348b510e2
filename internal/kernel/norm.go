package kernel

import "math"

// RMSNorm sets y = x / sqrt(mean(x²) + eps) · weight for one vector; y may be x. No weight stands for ones.
//
// The squares are exact in float64 and are added in 8 lanes, element j to lane j mod 8, then as a tree;
// each output is rounded once.
func RMSNorm(y, x, weight []float32, eps float64) {
	lane := squares(x)
	scale := 1 / math.Sqrt(sum8(&lane)/float64(len(x))+eps)
	y = y[:len(x)]
	if len(weight) > 0 {
		scaleRow(y, x, weight[:len(x)], scale)
		return
	}
	for i, v := range x {
		y[i] = float32(float64(v) * scale)
	}
}

// LayerNorm sets y = (x - mean(x)) / sqrt(var(x) + eps) · weight + bias for one vector (Ba and others 2016, arXiv:1607.06450);
// y may be x.
//
// Sums are float64, in order; each output is rounded once.
func LayerNorm(y, x, weight, bias []float32, eps float64) {
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
	}
	mean := sum / float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		squares += float64(d * d)
	}
	scale := 1 / math.Sqrt(squares/float64(len(x))+eps)
	y, weight, bias = y[:len(x)], weight[:len(x)], bias[:len(x)]
	for i, v := range x {
		y[i] = float32(float64(float64((float64(v)-mean)*scale)*float64(weight[i])) + float64(bias[i]))
	}
}

// squares returns the lanes of x's squares.
func squares(x []float32) (lane [8]float64) {
	n := wholeWide(len(x))
	if n > 0 {
		lane = cpu.squares(&x[0], n)
	}
	addSquaresGeneric(&lane, x[n:])
	return lane
}

// addSquaresGeneric adds x[i]², which is exact, to lane i mod 8.
func addSquaresGeneric(lane *[8]float64, x []float32) {
	whole := len(x) &^ 7
	for j := 0; j < whole; j += 8 {
		v := x[j : j+8 : j+8]
		for k := range lane {
			lane[k] += float64(float64(v[k]) * float64(v[k]))
		}
	}
	for k, v := range x[whole:] {
		lane[k] += float64(float64(v) * float64(v))
	}
}

func scaleRow(y, x, weight []float32, scale float64) {
	n := wholeWide(len(x))
	if n > 0 {
		_, _ = y[n-1], weight[n-1]
		cpu.scaleRow(&y[0], &x[0], &weight[0], scale, n)
	}
	scaleRowGeneric(y[n:], x[n:], weight[n:], scale)
}

// scaleRowGeneric sets y[i] = x[i]·scale·weight[i], rounded once to float32.
func scaleRowGeneric(y, x, weight []float32, scale float64) {
	y, weight = y[:len(x)], weight[:len(x)]
	for i, v := range x {
		y[i] = float32(float64(float64(v)*scale) * float64(weight[i]))
	}
}

// sum8 adds 8 float64 lanes as a tree: i with i+4, then i+2, then i+1.
func sum8(lane *[8]float64) float64 {
	a, b, c, d := lane[0]+lane[4], lane[1]+lane[5], lane[2]+lane[6], lane[3]+lane[7]
	a, b = a+c, b+d
	return a + b
}

// Add sets y += x, rounding to float32: the residual connection.
func Add(y, x []float32) {
	x = x[:len(y)]
	n := whole(len(y))
	if n > 0 {
		cpu.addTo(&y[0], &x[0], n)
	}
	addToGeneric(y[n:], x[n:])
}

func addToGeneric(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}
