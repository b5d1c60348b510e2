package samebits

import "math"

// The error function is expanded in a Taylor series around the nearest of some points. From the last one on it is 1.
const (
	erfPoints = 6*erfEach + 1 // from 0 to 6
	erfEach   = 8             // to a unit
	erfTerms  = 14
)

// erfPoint is the expansion around a point: erf(a+h) = value + h·Σ terms[n]·hⁿ.
type erfPoint struct {
	value float64
	terms [erfTerms]float64
}

var erfTable = newErfTable()

// newErfTable computes the expansions. The derivative of erf at a+h is 2/√π·e^(-a²)·g(h) with g(h) = e^(-2ah-h²), whose
// coefficients follow from g' = -2(a+h)·g.
func newErfTable() (table [erfPoints]erfPoint) {
	last := erfPoints - 1
	for i := last; i >= 0; i-- {
		a, p := float64(float64(i)/erfEach), &table[i]
		slope := 2 / math.Sqrt(math.Pi) * Exp(-a*a)
		before, c := 0.0, 1.0
		for n := range p.terms {
			p.terms[n] = float64(slope*c) / float64(n+1)
			before, c = c, (float64(-2*a*c)-float64(2*before))/float64(n+1)
		}
		switch {
		case i == last:
			p.value = 1
		case a >= 1: // from the point after it, as the differences are small
			p.value = table[i+1].at(-1.0 / erfEach)
		default: // 2/√π·e^(-a²)·a·(1 + 2a²/3·(1 + 2a²/5·(1 + …
			sum := 1.0
			for n := 30; n > 0; n-- {
				sum = 1 + float64(2*a*a/float64(2*n+1)*sum)
			}
			p.value = float64(slope * a * sum)
		}
	}
	return table
}

func (p *erfPoint) at(h float64) float64 {
	sum := p.terms[erfTerms-1]
	for n := erfTerms - 2; n >= 0; n-- {
		sum = p.terms[n] + float64(h*sum)
	}
	return p.value + float64(h*sum)
}

// Erf returns the error function of x, within two units of the last place.
func Erf(x float64) float64 {
	y := math.Abs(x)
	switch {
	case x != x:
		return x
	case y >= 6:
		return math.Copysign(1, x)
	}
	i := int(math.RoundToEven(y * erfEach))
	return math.Copysign(erfTable[i].at(y-float64(float64(i)/erfEach)), x)
}
