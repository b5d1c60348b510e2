package kernel

import "math"

const (
	lanes = 16 // float32 accumulators of one dot product

	// Of a float64's 52 fraction bits, float32 keeps 23: these are the 29 that go, and the pattern
	// that lies exactly between two float32 values.
	dropped  = 1<<29 - 1
	midpoint = 1 << 28

	// normalMin is the float64 exponent field, shifted past the sign, of float32's smallest normal number.
	normalMin = (1023 - 126) << 53
)

// fmaDoubtful reports whether rounding t, itself the rounded float64 value of w·x + c, to float32
// might differ from rounding w·x + c at once.
//
// w·x is exact in float64, so t carries one rounding. A second one does harm only where t sits exactly between
// two float32 values, and among the subnormals, whose midpoints lie elsewhere.
func fmaDoubtful(t float64) bool {
	b := math.Float64bits(t)
	return b&dropped == midpoint || b<<1-1 < normalMin-1 // zero wraps round and is never doubtful
}

// fma returns x·y + z rounded once: where a formula fuses, it says so, and means it on every machine.
func fma(x, y, z float64) float64 { return math.FMA(x, y, z) }

// fma32 returns w·x + c rounded once to float32. The arguments hold float32 values; so does the result.
func fma32(w, x, c float64) float64 {
	p := w * x
	t := p + c
	if !fmaDoubtful(t) {
		return float64(float32(t))
	}
	// Round t to odd: where p + c was inexact, the last bit is set, which keeps it off every midpoint.
	back := t - p
	lost := (p - (t - back)) + (c - back) // exact, by Knuth's TwoSum
	if b := math.Float64bits(t); lost != 0 && b&1 == 0 {
		if (lost > 0) == (t > 0) {
			b++
		} else {
			b--
		}
		t = math.Float64frombits(b)
	}
	return float64(float32(t))
}

// FusedAdd sets sum += w·x, rounding each element once, as a product of matrices does that keeps its sums in registers.
func FusedAdd(sum, x []float32, w float32) {
	x = x[:len(sum)]
	for i, v := range x {
		sum[i] = float32(fma32(float64(w), float64(v), float64(sum[i])))
	}
}
