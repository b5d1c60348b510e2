//go:build !arm64 && !loong64 && !ppc64 && !ppc64le && !riscv64 && !s390x

package kernel

import "math"

// Go does not have a fused multiply-add of float32, and its compiler does not make one on this architecture as it does on those of
// fma_fused.go. What follows computes it in float64.

// single holds a float32 value, in the type that fma32 computes in.
type single = float64

const (
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

// fma32 returns w·x + c rounded once to float32.
func fma32(w, x, c single) single {
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

// fmaBlocks multiplies the 8 columns at half of each block of 16, from column j on, into acc.
// It stops before the first block in which rounding to float64 first might show, and returns its column,
// or len(w), a multiple of 16. It calls nothing, so that the lanes stay in registers.
func fmaBlocks(acc *[8]single, w, x []float32, half, j int) int {
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for ; j < len(w); j += lanes {
		u := w[j+half : j+half+8 : j+half+8]
		v := x[j+half : j+half+8 : j+half+8]
		t0 := float64(u[0])*float64(v[0]) + a0
		t1 := float64(u[1])*float64(v[1]) + a1
		t2 := float64(u[2])*float64(v[2]) + a2
		t3 := float64(u[3])*float64(v[3]) + a3
		if fmaDoubtful(t0) || fmaDoubtful(t1) || fmaDoubtful(t2) || fmaDoubtful(t3) {
			break
		}
		t4 := float64(u[4])*float64(v[4]) + a4
		t5 := float64(u[5])*float64(v[5]) + a5
		t6 := float64(u[6])*float64(v[6]) + a6
		t7 := float64(u[7])*float64(v[7]) + a7
		if fmaDoubtful(t4) || fmaDoubtful(t5) || fmaDoubtful(t6) || fmaDoubtful(t7) {
			break
		}
		a0, a1, a2, a3 = float64(float32(t0)), float64(float32(t1)), float64(float32(t2)), float64(float32(t3))
		a4, a5, a6, a7 = float64(float32(t4)), float64(float32(t5)), float64(float32(t6)), float64(float32(t7))
	}
	*acc = [8]float64{a0, a1, a2, a3, a4, a5, a6, a7}
	return j
}
