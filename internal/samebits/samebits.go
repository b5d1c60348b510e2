// Package samebits has elementary functions that give the same bits on every machine. Those of package math do not promise
// that: they are assembly on some processors, and on others the compiler fuses their multiplications with their additions.
// Here every product is rounded before it is added.
//
// The method is that of FreeBSD's e_exp.c, e_log.c and s_log1p.c: an argument is reduced by a multiple of log 2, and a
// polynomial does the rest. Results are within one unit of the last place, those of Expm1 within three.
package samebits

import "math"

// log 2 as a sum. The high part times an integer of up to 20 bits is exact.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

// Exp returns e^x.
func Exp(x float64) float64 {
	switch {
	case x != x || x > 710:
		return x * math.Inf(1) // NaN stays
	case x < -746:
		return 0
	}
	k := math.RoundToEven(x * math.Log2E)
	high, low := x-float64(k*ln2High), float64(k*ln2Low)
	r := high - low
	y := 1 + (r + (square(r) + ((high - r) - low)))
	if e := int(k); e >= -1021 && e <= 1023 {
		return y * math.Float64frombits(uint64(e+1023)<<52)
	}
	return math.Ldexp(y, int(k))
}

// Expm1 returns e^x - 1, which for x near 0 has digits that Exp(x) - 1 lacks.
func Expm1(x float64) float64 {
	if math.Abs(x) > math.Ln2/2 {
		return Exp(x) - 1
	}
	return x + square(x)
}

// square returns e^r - 1 - r for |r| of at most log(2)/2: the sum of r^n/n! from n = 2 on, even and odd n apart.
func square(r float64) float64 {
	z := float64(r * r)
	even := 1.0/479001600 + float64(z*(1.0/87178291200))
	even = 1.0/3628800 + float64(z*even)
	even = 1.0/40320 + float64(z*even)
	even = 1.0/720 + float64(z*even)
	even = 1.0/24 + float64(z*even)
	even = 1.0/2 + float64(z*even)
	odd := 1.0/39916800 + float64(z*(1.0/6227020800))
	odd = 1.0/362880 + float64(z*odd)
	odd = 1.0/5040 + float64(z*odd)
	odd = 1.0/120 + float64(z*odd)
	odd = 1.0/6 + float64(z*odd)
	return float64(z * (even + float64(r*odd)))
}

// Log returns the natural logarithm of x.
func Log(x float64) float64 {
	if !(x > 0 && x <= math.MaxFloat64) {
		return math.Log(x) // NaN or an infinity
	}
	return logOf(x, 0)
}

// Log1p returns log(1 + x), which for x near 0 has digits that Log(1 + x) lacks.
func Log1p(x float64) float64 {
	switch {
	case !(x > -1 && x <= math.MaxFloat64):
		return math.Log1p(x) // NaN or an infinity
	case 1+x >= math.Sqrt2/2 && 1+x < math.Sqrt2:
		return log(x, 0, 0)
	}
	sum := 1 + x
	lost := x - (sum - 1)
	if x >= 1 {
		lost = 1 - (sum - x)
	}
	return logOf(sum, lost/sum)
}

// logOf returns log(x) + low, where low is small.
func logOf(x, low float64) float64 {
	scale := int64(0)
	if x < 0x1p-1022 { // a subnormal
		x *= 0x1p54
		scale = 54
	}
	// x = m·2^k with m in [√2/2, √2). A branch between the halves of that range would often be predicted wrongly.
	bits := math.Float64bits(x)
	k := int64(bits-math.Float64bits(math.Sqrt2/2)) >> 52
	m := math.Float64frombits(bits - uint64(k)<<52)
	return log(m-1, float64(k-scale), low)
}

// log returns n·log(2) + log(1+f) + low for 1+f in [√2/2, √2): log(1+f) = f - f²/2 + s·(f²/2 + R(s²)), s = f/(2+f).
func log(f, n, low float64) float64 {
	const (
		l1 = 6.666666666666735130e-01
		l2 = 3.999999999940941908e-01
		l3 = 2.857142874366239149e-01
		l4 = 2.222219843214978396e-01
		l5 = 1.818357216161805012e-01
		l6 = 1.531383769920937332e-01
		l7 = 1.479819860510658591e-01
	)
	s := f / (2 + f)
	z := float64(s * s)
	w := float64(z * z)
	even := float64(w * (l2 + float64(w*(l4+float64(w*l6)))))
	odd := float64(z * (l1 + float64(w*(l3+float64(w*(l5+float64(w*l7)))))))
	half := float64(float64(0.5*f) * f)
	low += float64(s*(half+even+odd)) + float64(n*ln2Low)
	return float64(n*ln2High) - ((half - low) - f)
}

// π/2 in three parts. The first two times an integer of up to 20 bits are exact.
const (
	halfPiHigh = 0x1.921fb544p+00
	halfPiMid  = 0x1.0b4611a6p-34
	halfPiLow  = 0x1.3198a2e037073p-69
)

// Sincos returns the sine and the cosine of x, which is at most 2^20 in magnitude: within one unit of the last place of the larger.
func Sincos(x float64) (sin, cos float64) {
	k := math.RoundToEven(x * (2 / math.Pi))
	r := x - float64(k*halfPiHigh)
	low := float64(k * halfPiMid)
	r, low = r-low, ((r-(r-low))-low)-float64(k*halfPiLow)
	z := float64(r * r)
	s := 1.0/6227020800 - float64(z*(1.0/1307674368000))
	s = 1.0/39916800 - float64(z*s)
	s = 1.0/362880 - float64(z*s)
	s = 1.0/5040 - float64(z*s)
	s = 1.0/120 - float64(z*s)
	s = 1.0/6 - float64(z*s)
	c := 1.0/87178291200 - float64(z*(1.0/20922789888000))
	c = 1.0/479001600 - float64(z*c)
	c = 1.0/3628800 - float64(z*c)
	c = 1.0/40320 - float64(z*c)
	c = 1.0/720 - float64(z*c)
	c = 1.0/24 - float64(z*c)
	sin = r + (low - float64(float64(r*z)*s))
	cos = 1 - (float64(z*0.5) - (float64(float64(z*z)*c) - float64(r*low)))
	switch int64(k) & 3 {
	case 1:
		return cos, -sin
	case 2:
		return -sin, -cos
	case 3:
		return -cos, sin
	}
	return sin, cos
}
