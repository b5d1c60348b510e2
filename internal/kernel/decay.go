package kernel

import "math"

// The limits of what decay takes keep 2^e a normal float32.
const (
	decayMin = -126
	decayMax = 127
)

// Coefficients of 2^r ≈ 1 + r·q(r) on |r| ≤ 1/2 in float32, minimax, relative error of r·q(r) 2^-26.5.
const (
	decayQ0 = 0x1.62e43p-1
	decayQ1 = 0x1.ebfbdep-3
	decayQ2 = 0x1.c6af6ep-5
	decayQ3 = 0x1.3b2bap-7
	decayQ4 = 0x1.5f07b4p-10
	decayQ5 = 0x1.4308fap-13
)

// decay returns 2^x, limited to 2^-126 and 2^127, as scale·(high + low), where scale is a power of 2 and high + low exactly 1
// more than a float32.
func decay(x float32) (scale float32, high, low single) {
	if x < decayMin {
		x = decayMin
	}
	if x > decayMax {
		x = decayMax
	}
	e := math.RoundToEven(float64(x))
	high, low = onePlus(single(float64(x) - e))
	return math.Float32frombits(uint32(int32(e)+127) << 23), high, low
}

// onePlus returns 2^r for |r| ≤ 1/2, which is 1 more than a float32, as the exact sum of two.
func onePlus(r single) (high, low single) {
	p := fma32(decayQ5, r, decayQ4)
	p = fma32(p, r, decayQ3)
	p = fma32(p, r, decayQ2)
	p = fma32(p, r, decayQ1)
	p = fma32(p, r, decayQ0)
	q := float32(float32(p) * float32(r))
	one := 1 + q
	return single(one), single(q - (one - 1))
}

// DecayRates sets rate[i] to A·log2 e for A = -exp(aLog[i]), the A of the Mamba paper (section 3.6) from its stored
// logarithm. A is rounded to float32 first, which is what files that store A itself hold.
func DecayRates(rate, aLog []float32) {
	NegExp(rate, aLog)
	for i, a := range rate {
		rate[i] = float32(float64(a) * log2e)
	}
}
