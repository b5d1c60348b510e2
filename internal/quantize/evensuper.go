package quantize

import "math"

// superEven are blocks of 256 in sub-blocks of size elements, without minima. Values are d·multiplier·code, where d is an F16,
// and the multiplier an integer of a sub-block.
type superEven struct {
	*evenCodes
	size            int
	lowest, highest int     // multipliers
	from, to        float64 // what the largest scale is tried as, in steps of d
}

// even chooses d, multipliers and codes of a block of 256.
func (b *block) even(c *superEven) *superBlock {
	groups := b.narrow(c.size)
	b.trials.M = [ways]float32{}
	largest := 0.0
	for j := range groups {
		b.seek(&groups[j], c.evenCodes)
		if s := groups[j].fit.scale; math.Abs(s) > math.Abs(largest) {
			largest = s
		}
	}
	best, next := &b.supers[0], &b.supers[1]
	b.multiplyEven(best, c, groups, b.stepEven(c, groups, largest))
	if allNearlyExact(groups) {
		for i := range 4 * ways { // what rounding d to F16 costs decides
			if b.multiplyEven(next, c, groups, c.try(largest, float64(i)/4)); next.err < best.err {
				best, next = next, best
			}
		}
	}
	if b.multiplyEven(next, c, groups, best.refit); next.err < best.err {
		best = next
	}
	d := halfValue(best.d)
	for j := range groups {
		at := j * c.size
		c.encode(best.q[at:at+c.size], b.x[at:at+c.size], float64(d*float64(best.multiplier[j])))
	}
	return best
}

// try is the d of lane i, or between lanes. The multipliers go one further down than up, so the largest scale is made negative.
func (c *superEven) try(largest, i float64) float64 {
	return -largest / (c.from + float64((c.to-c.from)*(i/float64(ways-1))))
}

// stepEven returns the d that leaves the least error if every scale is rounded to its nearest multiple.
func (b *block) stepEven(c *superEven, groups []group, largest float64) float64 {
	var ds, per [ways]float64
	var errs [ways]float32
	for i := range ds {
		_, ds[i] = b.half(c.try(largest, float64(i)))
		per[i] = inverse(ds[i])
	}
	for j := range groups {
		g := &groups[j]
		for i, d := range &ds {
			b.trials.S[i] = float32(d * float64(c.nearest(g.fit.scale, per[i])))
		}
		b.round(g, c.min, c.max)
		add(&errs, &b.trials.Error)
	}
	return ds[least(&errs)]
}

// nearest is the multiplier that brings a step nearest to scale, of perStep of them in 1.
func (c *superEven) nearest(scale, perStep float64) int {
	return max(c.lowest, min(c.highest, round(clamp(float64(scale*perStep), -1<<10, 1<<10))))
}

// multiplyEven chooses the multiplier of every sub-block for d, and d anew by least squares of their codes.
func (b *block) multiplyEven(s *superBlock, c *superEven, groups []group, d float64) {
	s.d, d = b.half(d)
	s.err = 0
	perD := inverse(d)
	var xq, qq float64
	for j := range groups {
		g := &groups[j]
		first := max(c.lowest, min(c.highest-ways+1, c.nearest(g.fit.scale, perD)-ways/2))
		if g.oneSign() || g.fit.err < 0.01*float64(float64(g.fit.scale*g.fit.scale)*g.sum) { // few codes stand for them, or much better than usual
			first = b.firstOf(c, g, d, first)
		}
		least := b.tryMultipliers(c, g, d, first)
		s.err += float64(b.trials.Error[least])
		m := float64(first + least)
		s.multiplier[j] = first + least
		q, x := b.products(g, least)
		xq += float64(x * m)
		qq += float64(float64(m*m) * q)
	}
	s.refit = float64(xq * inverse(qq))
}

// tryMultipliers tries multipliers from first on, and returns which is the best.
func (b *block) tryMultipliers(c *superEven, g *group, d float64, first int) (best int) {
	for lane := range ways {
		b.trials.S[lane] = float32(d * float64(first+lane))
	}
	b.round(g, c.min, c.max)
	return least(&b.trials.Error)
}

// firstOf looks for the best multiplier among all of them and returns the first of those to try. It is for values that codes
// fit much better than they usually do, as when all are the same: then many scales do, and which of them is near to a multiple
// of d matters more than which is the best.
func (b *block) firstOf(c *superEven, g *group, d float64, first int) int {
	err := b.trials.Error[b.tryMultipliers(c, g, d, first)]
	for from := c.lowest; from <= c.highest; from += ways {
		if lane := b.tryMultipliers(c, g, d, from); b.trials.Error[lane] < err {
			first, err = from, b.trials.Error[lane]
		}
	}
	return first
}
