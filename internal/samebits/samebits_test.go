package samebits

import (
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// ulps is how far got is from want, in units of the last place.
func ulps(got float64, want *big.Float) float64 {
	w, _ := want.Float64()
	if got == w {
		return 0
	}
	_, e := math.Frexp(w)
	d := new(big.Float).Sub(new(big.Float).SetFloat64(got), want)
	off, _ := d.Float64()
	return math.Abs(off) / math.Ldexp(1, max(e-53, -1074))
}

// bigExpm1 is e^x - 1 by its series, to 200 bits.
func bigExpm1(x float64) *big.Float {
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(v) }
	halvings := max(0, math.Ilogb(x)+8)
	r := new(big.Float).SetMantExp(number(x), -halvings)
	term, sum := number(1), number(0)
	for n := 1; n < 60; n++ {
		term.Mul(term, r).Quo(term, number(float64(n)))
		sum.Add(sum, term)
	}
	for range halvings { // (1+s)² - 1
		sum.Add(number(0).Mul(sum, sum), number(0).Add(sum, sum))
	}
	return sum
}

// bigExp is e^x.
func bigExp(x float64) *big.Float {
	one := big.NewFloat(1)
	e := bigExpm1(math.Abs(x))
	e.Add(e, one)
	if x < 0 {
		e.Quo(one, e)
	}
	return e
}

// arguments are drawn over many magnitudes, and spread over the range in which the functions are finite.
func arguments(yield func(x float64) bool) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		for _, x := range []float64{math.Ldexp(2*rng.Float64()-1, rng.IntN(40)-30), float64(1450*rng.Float64()) - 740} {
			if x > -745 && x < 709.7 && !yield(x) {
				return
			}
		}
	}
}

// TestAccuracy compares with arithmetic of 300 bits.
func TestAccuracy(t *testing.T) {
	one := big.NewFloat(1)
	worst := map[string]float64{}
	for x := range arguments {
		exp, expm1 := bigExp(x), bigExpm1(max(x, -40))
		worst["Exp"] = max(worst["Exp"], ulps(Exp(x), exp))
		worst["Expm1"] = max(worst["Expm1"], ulps(Expm1(max(x, -40)), expm1))
		// If d = (y - e^l)/e^l is small, log(y) is l + d - d²/2.
		improve := func(l float64, y *big.Float) *big.Float {
			e := bigExp(l)
			d := new(big.Float).SetPrec(300).Sub(y, e)
			d.Quo(d, e)
			d.Sub(d, new(big.Float).SetPrec(300).Quo(new(big.Float).SetPrec(300).Mul(d, d), big.NewFloat(2)))
			return d.Add(d, new(big.Float).SetPrec(300).SetFloat64(l))
		}
		if y, _ := exp.Float64(); y > 1e-300 && y != 1 {
			l := Log(y)
			worst["Log"] = max(worst["Log"], ulps(l, improve(l, new(big.Float).SetPrec(300).SetFloat64(y))))
		}
		if y, _ := expm1.Float64(); y > -1 && y != 0 {
			l := Log1p(y)
			worst["Log1p"] = max(worst["Log1p"], ulps(l, improve(l, new(big.Float).SetPrec(300).Add(one, new(big.Float).SetPrec(300).SetFloat64(y)))))
		}
	}
	for name, limit := range map[string]float64{"Exp": 1, "Expm1": 3, "Log": 1, "Log1p": 1} {
		t.Logf("%s: %.3f ulp", name, worst[name])
		if !(worst[name] > 0.4 && worst[name] <= limit) {
			t.Errorf("%s: off by %.3f units of the last place, expected between 0.4 and %v", name, worst[name], limit)
		}
	}
}

func TestSpecialValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, x := range []float64{0, inf, -inf, nan, 709.9, -745.9, -746.5, 1e308, -1e308, -1, -2} {
		for name, pair := range map[string][2]func(float64) float64{
			"Exp": {Exp, math.Exp}, "Expm1": {Expm1, math.Expm1}, "Log": {Log, math.Log}, "Log1p": {Log1p, math.Log1p},
		} {
			got, want := pair[0](x), pair[1](x)
			if got != want && (got == got || want == want) && math.Abs(got-want) > 2e-16*math.Abs(want) {
				t.Errorf("%s(%v) = %v, expected %v", name, x, got, want)
			}
		}
	}
}

// TestSameBits compares with a hash that every machine must reproduce.
func TestSameBits(t *testing.T) {
	h := fnv.New64a()
	for x := range arguments {
		for _, y := range []float64{Exp(x), Expm1(x), Log(math.Abs(x)), Log1p(math.Abs(x))} {
			bits := math.Float64bits(y)
			for i := range 8 {
				h.Write([]byte{byte(bits >> (8 * i))})
			}
		}
	}
	if got, want := h.Sum64(), uint64(0xcdc2ccfa1aa8cd5c); got != want {
		t.Errorf("hash %#016x, want %#016x", got, want)
	}
}

// TestSincos takes angles of positions times frequencies, as rotary embeddings do.
func TestSincos(t *testing.T) {
	h := fnv.New64a()
	for position := range 2000 {
		for i := range 8 {
			x := float64(position*position/7) * Exp(-float64(i)*1.7)
			sin, cos := Sincos(x)
			if s, c := math.Sincos(x); math.Abs(sin-s) > 0x1p-52 || math.Abs(cos-c) > 0x1p-52 {
				t.Errorf("Sincos(%v) = %v, %v, expected %v, %v", x, sin, cos, s, c)
			}
			for _, y := range []float64{sin, cos} {
				bits := math.Float64bits(y)
				for i := range 8 {
					h.Write([]byte{byte(bits >> (8 * i))})
				}
			}
		}
	}
	if got, want := h.Sum64(), uint64(0xa40677186da309aa); got != want {
		t.Errorf("hash %#016x, want %#016x", got, want)
	}
}
