package quantize

import (
	"math"

	"github.com/gomamba/gomamba/internal/kernel"
)

// ways is how many scales are tried at once, a lane of kernel.Trials each.
const ways = len(kernel.Trials{}.S)

// group are values that share a scale: a block, or a sub-block of one. Its numbers are in units of the block.
type group struct {
	x, w           []float32
	sum, perSum    float64 // Σ w and its inverse
	first, squares float64 // Σ w·x and Σ w·x²
	lo, hi         float64
	fit            fit     // the best that is known
	tried          float64 // the scale whose codes it fits
}

// fit is a scale and a minimum for values scale·q - min of codes q, and the error that they leave.
type fit struct{ scale, min, err float64 }

// nearlyExact reports whether codes fit values much better than they usually do, as if all are the same. Then many scales do.
func (g *group) nearlyExact() bool { return g.fit.err <= 1e-5*g.squares }

// allNearlyExact reports whether that is so of every group.
func allNearlyExact(groups []group) bool {
	for j := range groups {
		if !groups[j].nearlyExact() {
			return false
		}
	}
	return true
}

// narrow moves the block to float32, in units that make its largest magnitude 1 to 2, and divides it into groups.
func (b *block) narrow(size int) []group {
	largest := 0.0
	for _, v := range b.x {
		if a := math.Abs(v); a > largest {
			largest = a
		}
	}
	b.unit = 1
	if largest > 0 {
		_, exponent := math.Frexp(largest)
		b.unit = math.Ldexp(1, exponent-1)
	}
	b.perUnit = 1 / b.unit
	groups := b.groups[:len(b.x)/size]
	for j := range groups {
		g := &groups[j]
		at := j * size
		*g = group{x: b.narrowX[at : at+size], w: b.narrowW[at : at+size], lo: math.Inf(1), hi: math.Inf(-1)}
		for i := range g.x {
			x, w := float64(b.x[at+i]*b.perUnit), b.w[at+i]
			g.x[i], g.w[i] = float32(x), float32(w)
			if x < g.lo {
				g.lo = x
			}
			if x > g.hi {
				g.hi = x
			}
			wx := float64(w * x)
			g.sum += w
			g.first += wx
			g.squares += float64(wx * x)
		}
		g.perSum = 1 / g.sum
	}
	return groups
}

// half rounds a scale in units of the block to F16.
func (b *block) half(scale float64) (bits uint16, value float64) {
	bits, value = half(float64(scale * b.unit))
	return bits, float64(value * b.perUnit)
}

// set makes a lane try a scale and a minimum.
func (b *block) set(lane int, scale, min float64) {
	b.trials.S[lane], b.trials.M[lane] = float32(scale), float32(min)
}

// round tries the lanes with the values of a group.
func (b *block) round(g *group, lo, hi int) {
	t := &b.trials
	t.Sum, t.First, t.Squares, t.PerSum = float32(g.sum), float32(g.first), float32(g.squares), float32(g.perSum)
	t.Round(g.x, g.w, float32(lo), float32(hi))
}

// least returns the lane with the least of some errors, the first if there are several.
func least(errs *[ways]float32) (best int) {
	err := errs[0]
	for lane, e := range errs {
		if e < err || err != err {
			best, err = lane, e
		}
	}
	return best
}

// flat is the error that remains if all values become -min.
func (g *group) flat(min float64) float64 {
	return g.squares + float64(min*(float64(min*g.sum)+float64(2*g.first)))
}

// alone is the scale that fits the codes of a lane best if there is no minimum.
func (b *block) alone(lane int) float64 {
	t := &b.trials
	q := float64(t.QQ[lane])
	offset := float64(float64(t.B[lane]) * float64(t.Q[lane]))
	return float64(float64(t.S[lane]) * (1 + float64((float64(t.DQ[lane])-offset)*inverse(q))))
}

// fitOf is the scale and the minimum that fit them best together.
func (b *block) fitOf(g *group, lane int) (scale, min float64) {
	t := &b.trials
	q, offset := float64(t.Q[lane]), float64(t.B[lane])
	d := float64(g.first*float64(t.T[lane])) + float64(offset*g.sum) - q // Σ w·d
	mean, meanD := float64(q*g.perSum), float64(d*g.perSum)
	a := float64((float64(t.DQ[lane]) - float64(meanD*q)) * inverse(float64(t.QQ[lane])-float64(q*mean)))
	s := float64(t.S[lane])
	return float64(s * (1 + a)), float64(s * (offset - meanD + float64(a*mean)))
}
