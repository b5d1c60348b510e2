package kernel

import "math"

// Coefficients of sin r ≈ r + r³·s(r²) and cos r ≈ 1 + r²·c(r²) on |r| ≤ π/4: their series, absolute error 2^-41.
const (
	sinQ0 = -1.0 / 6
	sinQ1 = 1.0 / 120
	sinQ2 = -1.0 / 5040
	sinQ3 = 1.0 / 362880
	sinQ4 = -1.0 / 39916800
	sinQ5 = 1.0 / 6227020800

	cosQ0 = -1.0 / 2
	cosQ1 = 1.0 / 24
	cosQ2 = -1.0 / 720
	cosQ3 = 1.0 / 40320
	cosQ4 = -1.0 / 3628800
	cosQ5 = 1.0 / 479001600
)

// sincos returns the sine and cosine of x from 0 to 2π, to 40 bits after the point.
func sincos(x float64) (sin, cos float64) {
	quarter := float64(x*(2/math.Pi)) + roundBias // the integer stands in its low bits
	r := fma(-(quarter - roundBias), math.Pi/2, x)
	z := float64(r * r)

	s := fma(sinQ5, z, sinQ4)
	s = fma(s, z, sinQ3)
	s = fma(s, z, sinQ2)
	s = fma(s, z, sinQ1)
	s = fma(s, z, sinQ0)
	s = fma(s, float64(z*r), r)

	c := fma(cosQ5, z, cosQ4)
	c = fma(c, z, cosQ3)
	c = fma(c, z, cosQ2)
	c = fma(c, z, cosQ1)
	c = fma(c, z, cosQ0)
	c = fma(c, z, 1)

	bits := math.Float64bits(quarter)
	if bits&1 != 0 {
		s, c = c, s
	}
	sin = math.Float64frombits(math.Float64bits(s) ^ bits>>1<<63)
	return sin, math.Float64frombits(math.Float64bits(c) ^ (bits+1)>>1<<63)
}

// turn is turnGeneric in the instruction set in use.
func turn(angles, rates, low []float32, dt float64, cos, sin []float64) {
	rates, low, cos, sin = rates[:len(angles)], low[:len(angles)], cos[:len(angles)], sin[:len(angles)]
	n := wholeWide(len(angles))
	if n > 0 {
		cpu.turn(&angles[0], &rates[0], &low[0], dt, &cos[0], &sin[0], n)
	}
	turnGeneric(angles[n:], rates[n:], low[n:], dt, cos[n:], sin[n:])
}

// turnGeneric moves angles on by (rates + low)·dt, to stay from 0 to 2π, and sets cos and sin to theirs.
func turnGeneric(angles, rates, low []float32, dt float64, cos, sin []float64) {
	for i, angle := range angles {
		sum := float64(angle) + float64((float64(rates[i])+float64(low[i]))*dt)
		turns := math.Floor(float64(sum * (1 / (2 * math.Pi))))
		angles[i] = float32(sum - float64(turns*(2*math.Pi)))
		sin[i], cos[i] = sincos(float64(angles[i]))
	}
}

// rotate sets y [N] to x + bias, with as many of its pairs turned as there are cosines: the first neighbours, or the first
// with N/2 between the two.
func rotate(y, x, bias []float32, cos, sin []float64, halves bool) {
	x, bias, sin = x[:len(y)], bias[:len(y)], sin[:len(cos)]
	pairs := len(cos)
	n := wholeWide(pairs)
	if !halves {
		if n > 0 {
			cpu.rotateNeighbours(&y[0], &x[0], &bias[0], &cos[0], &sin[0], n)
		}
		rotateNeighboursGeneric(y[2*n:], x[2*n:], bias[2*n:], cos[n:], sin[n:])
		addBias(y[2*pairs:], x[2*pairs:], bias[2*pairs:])
		return
	}
	half := len(y) / 2
	if n > 0 {
		cpu.rotateHalves(&y[0], &x[0], &bias[0], &cos[0], &sin[0], half, n)
	}
	rotateHalvesGeneric(y[n:], x[n:], bias[n:], cos[n:], sin[n:], half)
	addBias(y[pairs:half], x[pairs:half], bias[pairs:half])
	addBias(y[half+pairs:], x[half+pairs:], bias[half+pairs:])
}

func addBias(y, x, bias []float32) {
	copy(y, bias)
	Add(y, x)
}

// rotateNeighboursGeneric turns the pairs 2i, 2i+1 of x + bias.
func rotateNeighboursGeneric(y, x, bias []float32, cos, sin []float64) {
	for i, c := range cos {
		y[2*i], y[2*i+1] = rotated(x[2*i], bias[2*i], x[2*i+1], bias[2*i+1], c, sin[i])
	}
}

// rotateHalvesGeneric turns the pairs i, i+half.
func rotateHalvesGeneric(y, x, bias []float32, cos, sin []float64, half int) {
	for i, c := range cos {
		y[i], y[half+i] = rotated(x[i], bias[i], x[half+i], bias[half+i], c, sin[i])
	}
}

// rotated turns a + aBias and b + bBias.
func rotated(a, aBias, b, bBias float32, cos, sin float64) (float32, float32) {
	p, q := float64(a)+float64(aBias), float64(b)+float64(bBias)
	return float32(float64(p*cos) - float64(q*sin)), float32(float64(p*sin) + float64(q*cos))
}
