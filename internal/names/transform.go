package names

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/samebits"
	"github.com/gomamba/gomamba/tensor"
)

// IsALog reports whether name is that of a tensor whose exponential the network takes.
func IsALog(name string) bool { return strings.HasSuffix(name, ".A_log") }

// LogNeg sets aLog[i] to a value whose -exp, as kernel.NegExp computes it, is a[i] to the bit, if there is one. Many
// float32 have the same -exp where A_log is small: taken is the one of bfloat16, else of float16, nearest to log(-a), and
// else the nearest float32. So what was a 16-bit A_log comes back exactly unless it is nearer to 0 than 2.5e-4,
// if its neighbours have the same float32 A. If no float32 has this -exp, which happens only to an a that was
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
			nearest[i] = float32(samebits.Log(-float64(v)))
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
