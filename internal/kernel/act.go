package kernel

import "math"

// expBound clamps the argument of exp so that the scale factor stays a normal float64.
// Beyond it float32 results have long been 0 or +Inf.
const expBound = 700

// Coefficients of 2^r ≈ 1 + r·q(r) on |r| ≤ 1/2, minimax, relative error 2^-39.7.
const (
	exp2Q0 = 0x1.62e42fef7a78bp-1
	exp2Q1 = 0x1.ebfbdff7c5a79p-3
	exp2Q2 = 0x1.c6b08defc25fdp-5
	exp2Q3 = 0x1.3b2ab7f3b3217p-7
	exp2Q4 = 0x1.5d872975c4ed2p-10
	exp2Q5 = 0x1.4306c1165a375p-13
	exp2Q6 = 0x1.00ee071c7c030p-16
	exp2Q7 = 0x1.663487d8abc81p-20
)

const (
	log2e     = 1.44269504088896338700
	roundBias = 0x1.8p52 // adding and subtracting it rounds to the nearest integer
)

// exp2 returns 2^x for |x| ≤ 1020, to 39 bits; exactly 1 for 0, and NaN for a NaN that was a float32.
func exp2(x float64) float64 {
	n := x + roundBias
	r := x - (n - roundBias)
	p := fma(exp2Q7, r, exp2Q6)
	p = fma(p, r, exp2Q5)
	p = fma(p, r, exp2Q4)
	p = fma(p, r, exp2Q3)
	p = fma(p, r, exp2Q2)
	p = fma(p, r, exp2Q1)
	p = fma(p, r, exp2Q0)
	p = fma(p, r, 1)
	// The integer stands in the low bits of n: add it to the exponent.
	return math.Float64frombits(math.Float64bits(p) + math.Float64bits(n)<<52)
}

// exp returns e^x to 39 bits, for use in float64 formulas that end in a rounding to float32.
// The argument is clamped to ±700; NaN gives NaN. Rounded to float32 it lies within 0.50001 ulp of e^x.
func exp(x float64) float64 {
	if x > expBound {
		x = expBound
	}
	if x < -expBound {
		x = -expBound
	}
	if x != x {
		return x
	}
	return exp2(float64(x * log2e))
}

// Coefficients of atanh(s) ≈ s + s³·q(s²) on 0 ≤ s ≤ 1/3, minimax.
const (
	atanhQ0 = 0.333333331795654126
	atanhQ1 = 0.200000265001264825
	atanhQ2 = 0.142841980465246941
	atanhQ3 = 0.111507500641509254
	atanhQ4 = 0.0857392561048420531
	atanhQ5 = 0.108961963033149925
)

// softplus, in float64 for the one dt of a head in Mamba-2, returns log(1 + e^x): x itself above 20 as torch.nn.functional.softplus has it, and
// max(x, 0) + log1p(e^-|x|) below, which keeps its relative accuracy down to the smallest float32.
func softplus(x float64) float64 {
	if x > 20 || x != x {
		return x
	}
	u := exp(-math.Abs(x)) // in (0, 1]
	s := u / (2 + u)       // log1p(u) = 2 atanh(u / (2+u))
	z := float64(s * s)
	q := float64(atanhQ5*z) + atanhQ4
	q = float64(q*z) + atanhQ3
	q = float64(q*z) + atanhQ2
	q = float64(q*z) + atanhQ1
	q = float64(q*z) + atanhQ0
	l := 2 * (s + float64(float64(q*z)*s))
	if x > 0 {
		return x + l
	}
	return l
}

// silu returns x·sigmoid(x) = x / (1 + e^-x), Hugging Face's "silu" and "swish".
func silu(x float64) float64 {
	return x / (1 + exp(-x))
}

// gateGeneric sets y[i] = (sums[i] + d[i]·x[i]) · silu(z[i]), rounded once; y may be x.
func gateGeneric(y []float32, sums []float64, d, x, z []float32) {
	for i, sum := range sums {
		sum += float64(float64(d[i]) * float64(x[i]))
		y[i] = float32(sum * silu(float64(z[i])))
	}
}

// gate is gateGeneric in the instruction set in use.
func gate(y []float32, sums []float64, d, x, z []float32) {
	y, d, x, z = y[:len(sums)], d[:len(sums)], x[:len(sums)], z[:len(sums)]
	n := wholeWide(len(sums))
	if n > 0 {
		cpu.gate(&y[0], &sums[0], &d[0], &x[0], &z[0], n)
	}
	gateGeneric(y[n:], sums[n:], d[n:], x[n:], z[n:])
}

// Exp returns e^x to 39 bits, the same bits on every machine, which math.Exp does not promise.
func Exp(x float64) float64 { return exp(x) }

// NegExp sets a[i] = -exp(aLog[i]): the A of the Mamba paper (section 3.6) from its stored logarithm.
func NegExp(a, aLog []float32) {
	a = a[:len(aLog)]
	n := wholeWide(len(aLog))
	if n > 0 {
		cpu.negExp(&a[0], &aLog[0], n)
	}
	negExpGeneric(a[n:], aLog[n:])
}

func negExpGeneric(a, aLog []float32) {
	for i, v := range aLog {
		a[i] = float32(-exp(float64(v)))
	}
}
