package quantize

import (
	"math"
	"slices"
)

// evenCodes are codes that are their own values, in blocks without a minimum.
type evenCodes struct {
	min, max int
	from, to float64 // the scales worth a look: what the largest magnitude becomes in steps
	passes   int     // of as many of them as are tried at once, before those next to the best
	signs    int     // 1: only the sign that gives the largest magnitude the code that goes furthest; 2: the other, too
}

// try sets the lanes to scales that make the largest magnitude from steps, and more with every lane. It becomes negative, as
// codes go further down than up, or that and positive in turns.
func (c *evenCodes) try(b *block, largest, from, step float64) {
	for lane := range ways {
		b.set(lane, largest/(from+float64(step*float64(lane/c.signs)))*float64(2*(lane%c.signs)-1), 0)
	}
}

// extreme is the value of the largest magnitude.
func (g *group) extreme() float64 {
	if -g.lo > g.hi {
		return g.lo
	}
	return g.hi
}

// steps are how many scales a pass has of one sign, and how far apart they are.
func (c *evenCodes) steps() (each int, step float64) {
	each = ways / c.signs
	return each, (c.to - c.from) / float64(c.passes*each-1)
}

// seek finds the scale of the least error for a group.
func (b *block) seek(g *group, c *evenCodes) {
	largest := g.extreme()
	g.fit = fit{err: g.squares}
	if math.Abs(largest) < 1e-30 { // of the block's largest
		return
	}
	each, step := c.steps()
	best := 0.0
	for pass := range c.passes {
		c.try(b, largest, c.from+float64(float64(pass*each)*step), step)
		if b.improve(g, c) {
			best = g.tried
		}
	}
	if best == 0 {
		return
	}
	center := largest / best
	for lane := range ways {
		b.set(lane, largest/(center+float64(step*(float64(2*lane+1-ways)/float64(ways)))), 0)
	}
	b.improve(g, c)
}

// improve looks for a better fit among the lanes, and reports whether there is one.
func (b *block) improve(g *group, c *evenCodes) bool {
	b.round(g, c.min, c.max)
	lane := least(&b.trials.Alone)
	err := float64(b.trials.Alone[lane])
	if !(err < g.fit.err) {
		return false
	}
	g.fit, g.tried = fit{scale: b.alone(lane), err: err}, float64(b.trials.S[lane])
	return true
}

// single chooses the scale of a block that has one and no minimum, and leaves the codes in b.q. It returns the scale's F16.
func (b *block) single(c *evenCodes) (bits uint16) {
	g := &b.narrow(len(b.x))[0]
	b.seek(g, c)
	err := float32(math.Inf(1))
	try := func() (lane int, better bool) {
		b.round(g, c.min, c.max)
		lane = least(&b.trials.Error)
		if better = b.trials.Error[lane] < err; better {
			err = b.trials.Error[lane]
			bits, _ = b.half(float64(b.trials.S[lane]))
		}
		return lane, better
	}
	if g.nearlyExact() { // what rounding the scale to F16 costs decides
		each, step := c.steps()
		for pass := range c.passes {
			c.try(b, g.extreme(), c.from+float64(float64(pass*each)*step), step)
			b.round(g, c.min, c.max)
			for lane := range ways {
				_, value := b.half(b.alone(lane))
				b.set(lane, value, 0)
			}
			try()
		}
	}
	center := b.around(g.fit.scale)
	if lane, better := try(); better {
		if scale := b.alone(lane); b.around(scale) != center {
			try()
		}
	}
	c.encode(b.q[:], b.x, halfValue(bits))
	return c.upright(b.q[:len(b.x)], bits)
}

// upright makes a negative scale positive if the codes can change their signs with it, so that values have one form.
func (c *evenCodes) upright(q []int8, bits uint16) uint16 {
	if bits <= 0x8000 || -c.min > c.max && slices.Contains(q, int8(c.min)) {
		return bits
	}
	for i := range q {
		q[i] = -q[i]
	}
	return bits &^ 0x8000
}

// around sets the lanes to scale and its neighbours among F16, the nearest first, and returns the F16 of scale.
func (b *block) around(scale float64) (bits uint16) {
	bits, value := b.half(scale)
	b.set(0, value, 0)
	for lane := 1; lane < ways; lane++ {
		near := bits + uint16((lane+1)/2)
		if lane%2 == 1 {
			near = bits - uint16((lane+1)/2)
		}
		if near&0x8000 != bits&0x8000 || near&0x7fff >= 0x7c00 || near&0x7fff == 0 { // another sign, infinite, or zero
			near = bits
		}
		b.set(lane, halfValue(near)*b.perUnit, 0)
	}
	return bits
}

// encode rounds x/scale to codes in q.
func (c *evenCodes) encode(q []int8, x []float64, scale float64) {
	t, lo, hi := inverse(scale), float64(c.min), float64(c.max)
	for i, v := range x {
		y := float64(v * t)
		if y < lo {
			y = lo
		}
		if y > hi {
			y = hi
		}
		q[i] = int8(int(y+(1<<20+0.5)) - 1<<20)
	}
}
