package quantize

import "math"

// affineCodes are codes 0 to max for values scale·q - min, scale at least 0.
type affineCodes struct {
	max    int
	signed bool        // whether the minimum may be negative, so that all values lie above 0
	passes []affineTry // over the scales and minima worth a look
	rounds []affineTry // next to the best, about as far as the next that were tried, and nearer
}

// affineTry are scales and minima for the lanes, as parts of the range of the values or of the best scale.
type affineTry struct{ scale, min [ways]float32 }

// affineRange is what is looked at.
type affineRange struct {
	from, to       float64 // the scales: what the range of the values becomes in steps
	first, step    float64 // where code 0 is tried, in steps above the least value: first + i·step
	passes, rounds int
}

// Of the ways, as many places of code 0 are tried, with as many scales each. The last way is from the least to the greatest
// value.
const (
	origins = 3
	perOne  = (ways - 1) / origins
)

func newAffine(max int, signed bool, r affineRange) *affineCodes {
	c := &affineCodes{max: max, signed: signed, passes: make([]affineTry, r.passes), rounds: make([]affineTry, r.rounds)}
	each := (r.to - r.from) / float64(perOne*r.passes-1)
	for pass := range c.passes {
		try := &c.passes[pass]
		for lane := range ways - 1 {
			i, k := lane/perOne, lane%perOne
			origin := (r.first + float64(float64(i)*r.step)) / float64(max)
			try.scale[lane] = float32((1 - origin) / (r.from + float64(each*float64(k*r.passes+pass))))
			try.min[lane] = float32(-origin)
		}
		try.scale[ways-1] = float32(1 / float64(max))
	}
	const side = 4
	wide, deep := 4*each/(r.to+r.from), r.step
	for round := range c.rounds {
		try := &c.rounds[round]
		for lane := range ways {
			i, k := float64(2*(lane/side)-side+1)/float64(side), float64(2*(lane%side)-side+1)/float64(side)
			try.scale[lane], try.min[lane] = float32(1+float64(wide*i)), float32(deep*k)
		}
		wide, deep = wide/2, deep/2
	}
	return c
}

// try sets the lanes to parts of unit, and minima around min.
func (b *block) try(a *affineTry, unit, min float64) {
	t, u, m := &b.trials, float32(unit), float32(min)
	for lane, part := range &a.scale {
		t.S[lane] = float32(u * part)
		t.M[lane] = m + float32(u*a.min[lane])
	}
}

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
	for pass := range c.passes {
		b.try(&c.passes[pass], hi-lo, -lo)
		b.improveAffine(g, c)
	}
	if g.fit.scale == 0 {
		return
	}
	b.refit(g, c)
	b.improveAffine(g, c)
	for round := range c.rounds {
		b.try(&c.rounds[round], g.fit.scale, g.fit.min)
		b.improveAffine(g, c)
	}
}

// refit sets every lane to what fits its codes best.
func (b *block) refit(g *group, c *affineCodes) {
	t := &b.trials
	if g.exact {
		for lane := range ways {
			scale, m := b.fitOf(g, lane)
			t.BestS[lane], t.Min[lane], t.AloneS[lane] = float32(scale), float32(m), float32(b.alone(g, lane))
		}
	}
	t.S, t.M = t.BestS, t.Min
	if c.signed {
		return
	}
	for lane, m := range &t.M {
		if m < 0 {
			t.S[lane], t.M[lane] = t.AloneS[lane], 0
		}
	}
}

// improveAffine looks for a better fit among the lanes.
func (b *block) improveAffine(g *group, c *affineCodes) {
	b.round(g, 0, c.max)
	t := &b.trials
	errs := &t.Best
	if !c.signed {
		for lane, m := range &t.Min {
			if m < 0 {
				errs[lane] = t.Alone[lane]
			}
		}
	}
	lane := least(errs)
	err := float64(errs[lane])
	if !g.exact && err < exactBelow*g.squares {
		g.exact = true
		b.improveAffine(g, c)
		return
	}
	if !(err < g.fit.err) {
		return
	}
	scale, m := b.fitOf(g, lane)
	if m < 0 && !c.signed {
		scale, m = b.alone(g, lane), 0
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
	g.exact = true
	err := float32(math.Inf(1))
	next := g.fit
	for range 2 {
		centers, tried := b.aroundBoth(g, c, next)
		b.round(g, 0, c.max)
		lane := least(&b.trials.Error)
		if !(b.trials.Error[lane] < err) {
			break
		}
		err, scale, min = b.trials.Error[lane], tried[lane][0], tried[lane][1]
		next.scale, next.min = b.fitOf(g, lane)
		s, _ := b.half(next.scale)
		m, _ := b.half(-next.min)
		if s == centers[0] && m == centers[1] {
			break
		}
	}
	c.encode(b.q[:], b.x, halfValue(scale), -halfValue(min))
	return scale, min
}

// aroundBoth sets the lanes to a scale and a minimum and their neighbours among F16, and the last to those from the least to
// the greatest value, which nothing beats if values are few. It returns the F16 of f, and those of every lane.
func (b *block) aroundBoth(g *group, c *affineCodes, f fit) (centers [2]uint16, tried [ways][2]uint16) {
	const sides = 3
	centers[0], _ = b.half(f.scale)
	centers[1], _ = b.half(-f.min)
	var mins [sides]uint16
	for k := range mins {
		mins[k] = neighbour(centers[1], k-sides/2)
	}
	for lane := 0; lane < ways-1; lane += sides {
		near := neighbour(centers[0], lane/sides-ways/sides/2)
		scale := halfValue(near) * b.perUnit
		for k, m := range mins {
			tried[lane+k] = [2]uint16{near, m}
			b.set(lane+k, scale, -halfValue(m)*b.perUnit)
		}
	}
	s, value := b.half((g.hi - g.lo) / float64(c.max))
	m, negative := b.half(g.lo)
	tried[ways-1] = [2]uint16{s, m}
	b.set(ways-1, value, -negative)
	return centers, tried
}
