package quantize

import (
	"math"

	"github.com/gomamba/gomamba/internal/kernel"
)

// ways is how many scales are tried at once, a lane of kernel.Trials each.
const ways = len(kernel.Trials{}.S)

// group are values that share a scale: a block, or a sub-block of one. Its numbers are in units of the block.
type group struct {
	x, w, wx       []float32
	sum, perSum    float64 // Σ w and its inverse
	first, squares float64 // Σ w·x and Σ w·x²
	lo, hi         float64
	fit            fit     // the best that is known
	tried          float64 // the scale whose codes it fits
	mean, middle   float64 // of the values, and of the codes of fit
	exact          bool    // whether its errors are too small a part of squares for kernel.Trials.Scan
}

// exactBelow is the part of squares below which an error must be known exactly. Scan's are off by some 1e-7 of them.
const exactBelow = 3e-5

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
	largest := uint64(0) // as bits, which are in order
	for _, v := range b.x {
		largest = max(largest, math.Float64bits(v)&^(1<<63))
	}
	b.unit, b.perUnit = 1, 1
	if exponent := largest >> 52; exponent > 0 {
		b.unit, b.perUnit = math.Float64frombits(exponent<<52), math.Float64frombits((2046-exponent)<<52)
	}
	groups := b.groups[:len(b.x)/size]
	for j := range groups {
		groups[j].fill(b, j*size, size)
	}
	return groups
}

// fill makes g the size elements of a block at and after first.
func (g *group) fill(b *block, first, size int) {
	*g = group{x: b.narrowX[first:][:size], w: b.narrowW[first:][:size], wx: b.narrowWX[first:][:size]}
	lo, hi := int32(math.MaxInt32), int32(math.MinInt32) // as ordered
	var sum, linear, squares float64
	for i, v := range b.x[first:][:size] {
		x, w := float64(v*b.perUnit), b.w[first+i]
		wx := float64(w * x)
		narrow := float32(x)
		g.x[i], g.w[i], g.wx[i] = narrow, float32(w), float32(wx)
		bits := ordered(narrow)
		lo, hi = min(lo, bits), max(hi, bits)
		sum += w
		linear += wx
		squares += float64(wx * x)
	}
	g.lo, g.hi = number(lo), number(hi)
	g.sum, g.perSum, g.first, g.squares = sum, 1/sum, linear, squares
}

// ordered is a number as an integer. Integers are in the order of their numbers, and compared without a branch.
func ordered(v float32) int32 {
	bits := int32(math.Float32bits(v))
	return bits ^ bits>>31&0x7fffffff
}

// number is the number that is ordered as an integer.
func number(bits int32) float64 {
	return float64(math.Float32frombits(uint32(bits ^ bits>>31&0x7fffffff)))
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
	if g.exact {
		t.Round(g.x, g.w, float32(lo), float32(hi))
		// Codes of 0 do not have a best scale. What F16 cannot tell apart is alike, so that groups agree on a scale.
		floor := float32(1e-8 * g.squares)
		for lane, qq := range &t.QQ {
			if qq == 0 {
				t.Alone[lane], t.Best[lane] = t.Squares, t.Squares
			}
			t.Alone[lane], t.Best[lane] = max(t.Alone[lane], floor), max(t.Best[lane], floor)
		}
	} else {
		t.Scan(g.x, g.w, g.wx, float32(lo), float32(hi))
	}
}

// least returns the lane with the least of some errors, the first if there are several. What is not a number comes last.
func least(errs *[ways]float32) (best int) {
	even, odd := int64(math.MaxInt64), int64(math.MaxInt64)
	for lane := 0; lane < ways; lane += 2 {
		even = min(even, rank(errs[lane], lane))
		odd = min(odd, rank(errs[lane+1], lane+1))
	}
	return int(min(even, odd) & int64(ways-1))
}

// rank orders lanes by their errors, then by their numbers. Errors below 0, by rounding, are alike.
func rank(err float32, lane int) int64 {
	return int64(max(0, int32(math.Float32bits(err))))*int64(ways) + int64(lane)
}

// flat is the error that remains if all values become -min.
func (g *group) flat(min float64) float64 {
	return g.squares + float64(min*(float64(min*g.sum)+float64(2*g.first)))
}

// products are Σ w·q² and Σ w·x·q of a lane.
func (b *block) products(g *group, lane int) (qq, xq float64) {
	t := &b.trials
	qq = float64(t.QQ[lane])
	if !g.exact {
		return qq, float64(t.XQ[lane])
	}
	offset := float64(float64(t.B[lane]) * float64(t.Q[lane]))
	return qq, float64(float64(t.S[lane]) * (qq + float64(t.DQ[lane]) - offset))
}

// alone is the scale that fits the codes of a lane best if there is no minimum.
func (b *block) alone(g *group, lane int) float64 {
	if !g.exact {
		return float64(b.trials.AloneS[lane])
	}
	qq, xq := b.products(g, lane)
	return float64(xq * inverse(qq))
}

// fitOf is the scale and the minimum that fit them best together.
func (b *block) fitOf(g *group, lane int) (scale, min float64) {
	t := &b.trials
	if !g.exact {
		return float64(t.BestS[lane]), float64(t.Min[lane])
	}
	q, offset := float64(t.Q[lane]), float64(t.B[lane])
	d := float64(g.first*float64(t.T[lane])) + float64(offset*g.sum) - q // Σ w·d
	mean, meanD := float64(q*g.perSum), float64(d*g.perSum)
	a := float64((float64(t.DQ[lane]) - float64(meanD*q)) * inverse(float64(t.QQ[lane])-float64(q*mean)))
	s := float64(t.S[lane])
	return float64(s * (1 + a)), float64(s * (offset - meanD + float64(a*mean)))
}
