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
	const chunk = 512
	var exact [chunk]float64
	var tried, back [chunk * atOnce]float32
	var of [chunk * atOnce]int // the elements that tried is for
	for first := 0; first < len(a); first += chunk {
		n := min(chunk, len(a)-first)
		part, logs, within := a[first:first+n], aLog[first:first+n], farthest
		for i, v := range part {
			if !(v <= -smallestNormal && v >= -math.MaxFloat32) {
				if !(v < 0) || math.IsInf(float64(v), 0) {
					return fmt.Errorf("element %d is %v, expected a finite negative number: A = -exp(A_log)", first+i, v)
				}
				within = math.Inf(1)
			}
			exact[i] = -float64(v)
		}
		for i, v := range exact[:n] { // a loop of its own: nothing in it waits for the logarithm before
			exact[i] = samebits.Log(v)
		}
		for i, v := range exact[:n] {
			logs[i] = float32(v)
		}
		var found [chunk]bool
		left := n
		for _, group := range candidates {
			if left == 0 {
				break
			}
			k := 0
			for i, nearest := range logs {
				if found[i] {
					continue
				}
				for _, candidate := range group {
					v := candidate(nearest)
					tried[k], of[k] = v, i
					if math.Abs(float64(v)-exact[i]) <= within {
						k++
					}
				}
			}
			kernel.NegExp(back[:k], tried[:k])
			for k--; k >= 0; k-- { // the most wanted last
				if i := of[k]; back[k] == part[i] {
					if logs[i] = tried[k]; !found[i] {
						found[i], left = true, left-1
					}
				}
			}
		}
	}
	return nil
}

// farthest is how far the logarithm of a float32 can be from that of a value that rounds to it, by kernel.NegExp, which is within
// 0.50001 units of the last place: a little more than 2^-24. It does not apply above -smallestNormal, where float32 are farther apart.
const (
	farthest       = 0x1.01p-24
	smallestNormal = 0x1p-126
)

// candidates are the values near the float32 nearest to log(-a) that may be the A_log, the most wanted first: in groups, of which the
// next is tried if none of one is. The kernel's exp is within 0.50001 units of the last place, so two steps are more than enough.
var candidates = [...][]func(float32) float32{
	{func(v float32) float32 { return tensor.BF16ToF32(tensor.F32ToBF16(v)) }},
	{
		func(v float32) float32 { return tensor.F16ToF32(tensor.F32ToF16(v)) },
		func(v float32) float32 { return v },
	},
	{
		func(v float32) float32 { return step(v, 1) },
		func(v float32) float32 { return step(v, -1) },
		func(v float32) float32 { return step(step(v, 1), 1) },
		func(v float32) float32 { return step(step(v, -1), -1) },
	},
}

const atOnce = 4 // candidates in a group at most

// step returns the float32 next to v in the direction of sign.
func step(v, sign float32) float32 { return math.Nextafter32(v, sign*math.MaxFloat32) }
