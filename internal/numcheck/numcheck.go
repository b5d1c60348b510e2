// Package numcheck is the one comparator of numbers, for tests and for the verify command.
package numcheck

import (
	"fmt"
	"math"

	"golang.org/x/exp/constraints"
)

// Floor is the share of a tensor's largest magnitude below which a difference is never held against float32 results:
// about 34 units of the last place of the largest value.
const Floor = 2e-6

// Result is how far a tensor lies from another.
type Result struct {
	Elements int
	Equal    bool    // every element has the same value; two NaNs count as the same
	MaxAbs   float64 // largest |got - want|; +Inf where one is NaN or infinite and the other is not the same
	MaxRel   float64 // MaxAbs relative to the largest |want|
	Scale    float64 // largest finite |want|
	Worst    int     // element with the largest difference; -1 if there are none
	Got      float64 // value of that element
	Want     float64
}

// Compare measures got against want, which has the same length. Where mask is not nil, element i counts only if
// mask(i) is true.
func Compare[A, B constraints.Float](got []A, want []B, mask func(i int) bool) (Result, error) {
	if len(got) != len(want) {
		return Result{}, fmt.Errorf("%d elements against %d", len(got), len(want))
	}
	r := Result{Equal: true, Worst: -1}
	for i, w := range want {
		if mask != nil && !mask(i) {
			continue
		}
		r.add(i, float64(got[i]), float64(w))
	}
	r.MaxRel = r.MaxAbs
	if r.Scale > 0 {
		r.MaxRel /= r.Scale
	}
	return r, nil
}

func (r *Result) add(i int, got, want float64) {
	r.Elements++
	if !math.IsInf(want, 0) && !math.IsNaN(want) {
		r.Scale = max(r.Scale, math.Abs(want))
	}
	d := Distance(got, want)
	if d > 0 {
		r.Equal = false
	}
	if r.Worst < 0 || d > r.MaxAbs {
		r.MaxAbs, r.Worst, r.Got, r.Want = d, i, got, want
	}
}

// Distance returns |a - b|: 0 for two NaNs or equal infinities, and +Inf where only one side is NaN or infinite,
// so that a NaN never passes for a number.
func Distance(a, b float64) float64 {
	switch {
	case a == b, math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a), math.IsNaN(b), math.IsInf(a, 0), math.IsInf(b, 0):
		return math.Inf(1)
	}
	return math.Abs(a - b)
}

// First returns the first counted element that lies farther than atol + rtol·|want| from want, or -1.
func First[A, B constraints.Float](got []A, want []B, atol, rtol float64, mask func(i int) bool) int {
	for i, w := range want {
		if mask != nil && !mask(i) {
			continue
		}
		d := Distance(float64(got[i]), float64(w))
		if d > 0 && !(d <= atol+float64(rtol*math.Abs(float64(w)))) {
			return i
		}
	}
	return -1
}

// NonFinite returns the index of the first NaN or infinity in v, or -1.
func NonFinite[T constraints.Float](v []T) int {
	for i, x := range v {
		if x-x != 0 { // NaN for all three
			return i
		}
	}
	return -1
}
