package kernel

import "math"

// softplusRows sets dt[t, c] = softplus(dt[t, c] + bias[c]) for T rows, stride apart, and the channels lo to hi.
func softplusRows(dt []float32, stride int, bias []float32, tokens, lo, hi int) {
	for t := range tokens {
		softplusRow(dt[t*stride+lo:t*stride+hi], bias[lo:hi])
	}
}

func softplusRow(dt, bias []float32) {
	dt = dt[:len(bias)]
	n := whole(len(bias))
	if n > 0 {
		cpu.softplus(&dt[0], &bias[0], n)
	}
	softplusRowGeneric(dt[n:], bias[n:])
}

// softplusRowGeneric sets dt[i] = softplus(dt[i] + bias[i]).
func softplusRowGeneric(dt, bias []float32) {
	for i, b := range bias {
		dt[i] = softplusOfSum(dt[i], b)
	}
}

// log2 e as the sum of two float32.
const (
	log2eHigh = 0x1.715476p0
	log2eLow  = 0x1.4ae0cp-26
)

// softplusMin is below all x whose softplus is not 0 in float32.
const softplusMin = -104

// Coefficients of log1p(u) ≈ u - u²·q(u) on 0 ≤ u ≤ 1 in float32, minimax, relative error 2^-27.5.
const (
	log1pQ0 = 0x1.ffffd2p-2
	log1pQ1 = -0x1.554dfp-2
	log1pQ2 = 0x1.ff26e2p-3
	log1pQ3 = -0x1.935cap-3
	log1pQ4 = 0x1.3a7a82p-3
	log1pQ5 = -0x1.b579c6p-4
	log1pQ6 = 0x1.d8632ap-5
	log1pQ7 = -0x1.4b083cp-6
	log1pQ8 = 0x1.b2f592p-9
)

// softplusOfSum returns log(1 + e^(a+b)): the sum itself above 20 as torch.nn.functional.softplus has it, and
// max(a+b, 0) + log1p(e^-|a+b|) below.
//
// Every operation is rounded to float32, but what counts is carried as a sum of two: a + b, whose rounding alone would be off
// by several units of the result's last place, and e^-|a+b|. Half of the results are within 0.3 ulp, all within 2.5.
func softplusOfSum(a, b float32) float32 {
	x := float32(a + b)
	part := float32(x - a)
	low := float32(float32(a-float32(x-part)) + float32(b-part)) // a + b - x, exactly
	if !(x <= 20) {
		return x
	}
	w, wLow := x, low
	if !math.Signbit(float64(x)) {
		w, wLow = -x, -low
	}
	if w < softplusMin {
		w, wLow = softplusMin, 0
	}

	// e^(w + wLow) = 2^e·(one + rest)
	e := math.RoundToEven(float64(float32(w * log2eHigh)))
	r := fma32(single(w), log2eHigh, single(-e))
	r = fma32(single(w), log2eLow, r)
	r = fma32(single(wLow), log2eHigh, r)
	one, rest := onePlus(r)
	scale := math.Float64frombits(uint64(int64(e)+1023) << 52)
	u, uLow := single(float32(float64(one)*scale)), single(float32(float64(rest)*scale))

	q := fma32(log1pQ8, u, log1pQ7)
	q = fma32(q, u, log1pQ6)
	q = fma32(q, u, log1pQ5)
	q = fma32(q, u, log1pQ4)
	q = fma32(q, u, log1pQ3)
	q = fma32(q, u, log1pQ2)
	q = fma32(q, u, log1pQ1)
	q = fma32(q, u, log1pQ0)
	l := float32(float32(u) + float32(fma32(-single(float32(q*u)), u, uLow)))
	if x > 0 {
		return x + float32(l+low)
	}
	return l
}
