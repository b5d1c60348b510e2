package quantize

import "math"

// codes are 16 values, not evenly spaced, that a code can have in blocks without a minimum, in steps of the block's scale.
type codes struct {
	table    *ladders
	from, to float64 // the scales worth a look: what the largest magnitude becomes in steps
	bins     int     // how many of them are looked at
}

// sums are what decides the error of a scale s and codes q: Σ w·x·q and Σ w·q². Beside xx = Σ w·x², the error is
// xx - 2·s·xq + s²·qq. It is least, xx - xq²/qq, for s = xq/qq.
type sums struct{ xq, qq float64 }

func (s sums) error(xx, scale float64) float64 {
	return xx + float64(scale*(float64(scale*s.qq)-float64(2*s.xq)))
}

// maxBins is how many scales a profile covers at most, of either sign.
const maxBins = 48

// profile has the sums of the codes that x/scale rounds to, for a range of scales: element i those of the inverse scale
// low + i/perBin, in pos if it is positive, and in neg those of its negative.
type profile struct {
	xx       float64 // Σ w·x²
	least    float64 // the error of the best scale
	exact    bool    // whether it is much less than usual
	low      float64
	perBin   float64
	pos, neg []sums
	array    [2 * maxBins]sums
}

// measure fills p for values x of weights w.
//
// As the inverse scale t grows, the code of an element goes one step up whenever |x|·t passes the middle between two
// values. A step is noted in the first bin after it, and a running sum over the bins is then the state at each.
func (p *profile) measure(c *codes, x, w []float64) {
	amax, xx := 0.0, 0.0
	for i, v := range x {
		amax = max(amax, math.Abs(v))
		xx += float64(w[i] * float64(v*v))
	}
	p.xx, p.perBin = xx, 0
	p.pos, p.neg = p.array[:c.bins], p.array[c.bins:2*c.bins]
	clear(p.pos)
	clear(p.neg)
	if amax == 0 {
		return
	}
	p.low = c.from / amax
	p.perBin = float64(c.bins-1) * amax / (c.to - c.from)
	p.steps(p.pos, x, w, &c.table.up, &c.table.down)
	p.steps(p.neg, x, w, &c.table.down, &c.table.up)
	for _, side := range [][]sums{p.pos, p.neg} {
		var s sums
		for i := range side {
			s.xq += side[i].xq
			s.qq += side[i].qq
			side[i] = s
		}
	}
}

// ladders are the values of codes 0 to 15 that are not evenly spaced, from small to large magnitudes of what is encoded:
// for x of the scale's sign and of the other.
type ladders struct {
	values   *[16]int8
	up, down ladder
	near     [256]uint8 // the code of the greatest value that an integer from -128 is not below the middle to
}

// ladder has the values that a growing magnitude takes, with the sign that makes it positive, and the middles between them.
type ladder struct {
	value, middle []float64
	start         [128]uint8 // how many middles are at or below an integer
}

// steps notes the steps of one sign of scales, of which same are the values of elements of that sign.
func (p *profile) steps(into []sums, x, w []float64, same, other *ladder) {
	for i, v := range x {
		l := same
		if v < 0 {
			l = other
		}
		a, wi := math.Abs(v), w[i]
		wa := float64(wi * a)
		y := float64(a * p.low)
		k := int(l.start[min(int(y), 127)])
		for k < len(l.middle) && l.middle[k] <= y {
			k++
		}
		q := l.value[k]
		into[0].xq += float64(wa * q)
		into[0].qq += float64(wi * float64(q*q))
		stride := p.perBin / a
		offset := float64(p.low * p.perBin)
		for ; k < len(l.middle); k++ {
			at := float64(l.middle[k]*stride) - offset
			if !(at < float64(len(into)-1)) {
				break
			}
			next := l.value[k+1]
			s := &into[int(at)+1]
			s.xq += float64(wa * (next - q))
			s.qq += float64(wi * (float64(next*next) - float64(q*q)))
			q = next
		}
	}
}

// newLadders returns the ladders of values, which ascend through zero.
func newLadders(values *[16]int8) *ladders {
	l := &ladders{values: values}
	first := 0 // code of what rounds zero
	for k := range values[:15] {
		if int(values[k])+int(values[k+1]) < 0 {
			first = k + 1
		}
	}
	for k := first; k < 16; k++ {
		l.up.value = append(l.up.value, float64(values[k]))
	}
	for k := first; k >= 0; k-- {
		l.down.value = append(l.down.value, -float64(values[k]))
	}
	l.up.fill()
	l.down.fill()
	for i := range l.near {
		for k := range values[:15] {
			if int(values[k])+int(values[k+1]) <= 2*(i-128) {
				l.near[i] = uint8(k + 1)
			}
		}
	}
	return l
}

func (l *ladder) fill() {
	for k := range len(l.value) - 1 {
		l.middle = append(l.middle, (l.value[k]+l.value[k+1])/2)
	}
	for i := range l.start {
		for _, m := range l.middle {
			if m <= float64(i) {
				l.start[i]++
			}
		}
	}
}

// best returns the scale of the least error, which is p.least from then on.
func (p *profile) best() float64 {
	best, sign := sums{0, 1}, 1.0
	for i := range p.pos {
		if s := p.pos[i]; float64(s.xq*s.xq)*best.qq > float64(best.xq*best.xq)*s.qq {
			best, sign = s, 1
		}
		if s := p.neg[i]; float64(s.xq*s.xq)*best.qq > float64(best.xq*best.xq)*s.qq {
			best, sign = s, -1
		}
	}
	scale := best.xq / best.qq
	p.least = best.error(p.xx, scale)
	return sign * scale
}

// bestHalf is best among scales that are rounded to F16.
func (p *profile) bestHalf() (best float64) {
	least := p.xx
	for i := range p.pos {
		for sign, s := range [2]sums{p.pos[i], p.neg[i]} {
			if s.qq == 0 {
				continue
			}
			_, scale := half(s.xq / s.qq)
			if err := s.error(p.xx, scale); err < least {
				best, least = scale*float64(1-2*sign), err
			}
		}
	}
	return best
}

// at returns about the error of scale: that of the codes of a bin near it, never less than the error of the best codes.
func (p *profile) at(scale float64) float64 {
	if scale == 0 || p.perBin == 0 {
		return p.xx
	}
	side := p.pos
	if scale < 0 {
		side, scale = p.neg, -scale
	}
	i := int(max(0, min(float64(len(side)-1), float64((1/scale-p.low)*p.perBin)+0.5)))
	return side[i].error(p.xx, scale)
}

// encode rounds x/scale to codes in q and returns their sums.
func (c *codes) encode(q []int8, x, w []float64, scale float64) (s sums) {
	t := inverse(scale)
	for i, v := range x {
		y := max(-128, min(127, float64(v*t)))
		k := c.table.near[int(y+128)]
		if k < 15 && float64(c.table.values[k])+float64(c.table.values[k+1]) <= 2*y {
			k++
		}
		q[i] = int8(k)
		f := float64(c.table.values[k])
		s.xq += float64(w[i] * float64(v*f))
		s.qq += float64(w[i] * float64(f*f))
	}
	return s
}
