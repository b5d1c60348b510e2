package quantize

import "math"

// affineCodes are codes 0 to max for values scale·q - min, scale at least 0.
type affineCodes struct {
	max         int
	from, to    float64 // the scales worth a look: what the range of the values becomes in steps
	first, step float64 // where code 0 is tried, in steps above the least value: first + i·step
	passes      int     // of as many scales as are tried at once
	rounds      int     // how often it is looked for next to the best
	signed      bool    // whether the minimum may be negative, so that all values lie above 0
}

// Of the ways, as many places of code 0 are tried, with as many scales each. The last way is from the least to the greatest
// value.
const (
	origins = 3
	perOne  = (ways - 1) / origins
)

// seekAffine finds the scale and the minimum of the least error for a group.
func (b *block) seekAffine(g *group, c *affineCodes) {
	lo, hi := g.lo, g.hi
	if !c.signed {
		lo = min(lo, 0)
	}
	m := float64(-g.first * g.perSum)
	if !c.signed {
		m = max(m, 0)
	}
	g.fit = fit{min: m, err: g.flat(m)}
	if hi-lo < 1e-30 { // of the block's largest: all the same
		return
	}
	whole := (hi - lo) / float64(c.max)
	each := (c.to - c.from) / float64(perOne*c.passes-1)
	for pass := range c.passes {
		for i := range origins {
			origin := lo + float64(whole*(c.first+float64(float64(i)*c.step)))
			for k := range perOne {
				b.set(i*perOne+k, (hi-origin)/(c.from+float64(each*float64(k*c.passes+pass))), -origin)
			}
		}
		b.set(ways-1, whole, -lo)
		b.improveAffine(g, c)
	}
	if g.fit.scale == 0 {
		return
	}
	// Around the best, about as far as the next that were tried, and nearer.
	const side = 4
	wide, deep := 4*each/(c.to+c.from), c.step
	for range c.rounds {
		scale, m := g.fit.scale, g.fit.min
		for lane := range ways {
			i, k := float64(2*(lane/side)-side+1)/float64(side), float64(2*(lane%side)-side+1)/float64(side)
			b.set(lane, float64(scale*(1+float64(wide*i))), m+float64(float64(deep*scale)*k))
		}
		b.improveAffine(g, c)
		wide, deep = wide/2, deep/2
	}
}

// improveAffine looks for a better fit among the lanes.
func (b *block) improveAffine(g *group, c *affineCodes) {
	b.round(g, 0, c.max)
	t := &b.trials
	errs := &t.Best
	if !c.signed {
		for lane, m := range t.Min {
			if m < 0 {
				errs[lane] = t.Alone[lane]
			}
		}
	}
	lane := least(errs)
	err := float64(errs[lane])
	if !(err < g.fit.err) {
		return
	}
	scale, m := b.fitOf(g, lane)
	if m < 0 && !c.signed {
		scale, m = b.alone(lane), 0
	}
	if scale > 0 {
		g.fit = fit{scale, m, err}
	}
}

// encode rounds (x + min)/scale to codes in q.
func (c *affineCodes) encode(q []int8, x []float64, scale, min float64) {
	t := inverse(scale)
	hi := float64(c.max)
	for i, v := range x {
		y := float64((v+min)*t) + 0.5
		if y < 0 {
			y = 0
		}
		if y > hi {
			y = hi
		}
		q[i] = int8(y)
	}
}

// affine chooses the scale and the minimum of a block that has one of each, and leaves the codes in b.q. It returns both as
// F16, the minimum with its sign turned.
func (b *block) affine(c *affineCodes) (scale, min uint16) {
	g := &b.narrow(len(b.x))[0]
	b.seekAffine(g, c)
	err := float32(math.Inf(1))
	next := g.fit
	for range 3 {
		var bits [2][2]uint16
		// From the least to the greatest value, too: what nothing beats if they are few.
		for i, f := range [2]fit{next, {scale: (g.hi - g.lo) / float64(c.max), min: -g.lo}} {
			s, value := b.half(f.scale)
			m, negative := b.half(-f.min)
			bits[i] = [2]uint16{s, m}
			for lane := i; lane < ways; lane++ {
				b.set(lane, value, -negative)
			}
		}
		b.round(g, 0, c.max)
		lane := least(&b.trials.Error)
		if !(b.trials.Error[lane] < err) {
			break
		}
		err, scale, min = b.trials.Error[lane], bits[lane][0], bits[lane][1]
		next.scale, next.min = b.fitOf(g, lane)
	}
	c.encode(b.q[:], b.x, halfValue(scale), -halfValue(min))
	return scale, min
}
