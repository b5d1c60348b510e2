package names

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/tensor"
)

// IsALog reports whether name is that of a tensor whose exponential the network takes.
func IsALog(name string) bool { return strings.HasSuffix(name, ".mixer.A_log") }

// LogNeg sets aLog[i] to a value whose -exp, as kernel.NegExp computes it, is a[i] to the bit, where there is one. Many
// float32 have the same -exp where A_log is small: taken is the one of bfloat16, else of float16, nearest to log(-a), and
// else the nearest float32. So what was a 16-bit A_log comes back exactly unless it is nearer to 0 than 2.5e-4,
// where float32 A cannot tell its neighbours apart. Where no float32 has this -exp, which happens only to an a that was
// not made from one, the result is the float32 nearest to log(-a). The bits are the same on every machine.
// A value that is not a finite negative number has no logarithm: that is an error, with its index.
func LogNeg(aLog, a []float32) error {
	const chunk = 1024
	var nearest, tried, back [chunk]float32
	for first := 0; first < len(a); first += chunk {
		n := min(chunk, len(a)-first)
		part, logs := a[first:first+n], aLog[first:first+n]
		for i, v := range part {
			if !(v < 0) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("element %d is %v, expected a finite negative number: A = -exp(A_log)", first+i, v)
			}
			nearest[i] = float32(log(-float64(v)))
		}
		copy(logs, nearest[:])
		var found [chunk]bool
		left := n
		for _, candidate := range candidates {
			if left == 0 {
				break
			}
			for i, v := range nearest[:n] {
				tried[i] = candidate(v)
			}
			kernel.NegExp(back[:n], tried[:n])
			for i, v := range part {
				if !found[i] && back[i] == v {
					logs[i], found[i] = tried[i], true
					left--
				}
			}
		}
	}
	return nil
}

// candidates are the values near the float32 nearest to log(-a) that may be the A_log, the most wanted first. The
// kernel's exp is within 0.50001 units of the last place, so two steps are more than enough.
var candidates = []func(float32) float32{
	func(v float32) float32 { return tensor.BF16ToF32(tensor.F32ToBF16(v)) },
	func(v float32) float32 { return tensor.F16ToF32(tensor.F32ToF16(v)) },
	func(v float32) float32 { return v },
	func(v float32) float32 { return step(v, 1) },
	func(v float32) float32 { return step(v, -1) },
	func(v float32) float32 { return step(step(v, 1), 1) },
	func(v float32) float32 { return step(step(v, -1), -1) },
}

// step returns the float32 next to v in the direction of sign.
func step(v, sign float32) float32 { return math.Nextafter32(v, sign*math.MaxFloat32) }

// log returns the natural logarithm of a positive finite number within one unit of the last place, by the method of
// FreeBSD's e_log.c: x = 2^k·(1+f) with 1+f in [√2/2, √2), log(1+f) = f - f²/2 + s·(f²/2 + R(s²)), s = f/(2+f).
// Every product is rounded before it is added, which math.Log does not promise: it is assembly on some machines, and
// fused on others.
func log(x float64) float64 {
	const (
		ln2High = 6.93147180369123816490e-01
		ln2Low  = 1.90821492927058770002e-10
		l1      = 6.666666666666735130e-01
		l2      = 3.999999999940941908e-01
		l3      = 2.857142874366239149e-01
		l4      = 2.222219843214978396e-01
		l5      = 1.818357216161805012e-01
		l6      = 1.531383769920937332e-01
		l7      = 1.479819860511658591e-01
	)
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		k--
	}
	f, n := m-1, float64(k)
	s := f / (2 + f)
	z := float64(s * s)
	w := float64(z * z)
	even := float64(w * (l2 + float64(w*(l4+float64(w*l6)))))
	odd := float64(z * (l1 + float64(w*(l3+float64(w*(l5+float64(w*l7)))))))
	half := float64(float64(0.5*f) * f)
	low := float64(s*(half+even+odd)) + float64(n*ln2Low)
	return float64(n*ln2High) - ((half - low) - f)
}
