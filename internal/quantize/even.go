package quantize

import (
	"math"
	"slices"
)

// evenCodes are codes that are their own values, in blocks without a minimum.
type evenCodes struct {
	min, max int
	tries    [][ways]float32 // scales of the passes over the range, as parts of the largest magnitude
	fine     [][ways]float32 // more of them for values of one sign, which few codes stand for
	exact    bool            // whether there are so many codes that errors are always a small part
	step     float64         // between scales next to each other: by how many steps of them the largest magnitude differs
}

// newEven returns codes from min to max. The scales worth a look are those that make the largest magnitude from to to steps. In
// passes as many of them are tried as lanes there are, before those next to the best. If signs is 1, they only have the sign
// that gives the largest magnitude the code that goes furthest, which is below zero; if 2, the other, too.
func newEven(min, max int, from, to float64, passes, signs int) *evenCodes {
	c := &evenCodes{min: min, max: max, exact: max > 64, step: (to - from) / float64(passes*ways/signs-1)}
	c.tries = parts(from, c.step, passes, signs)
	const passesFine = 2
	c.fine = parts(-float64(min)-1, 2/float64(passesFine*ways), passesFine, 1)
	return c
}

// parts are the scales that make a largest magnitude from steps, and more with every lane.
func parts(from, step float64, passes, signs int) [][ways]float32 {
	tries := make([][ways]float32, passes)
	for pass := range tries {
		for lane := range ways {
			i := pass*ways/signs + lane/signs
			tries[pass][lane] = float32(float64(2*(lane%signs)-1) / (from + float64(step*float64(i))))
		}
	}
	return tries
}

// tryParts sets the lanes to the scales of a pass for a largest magnitude.
func (b *block) tryParts(parts *[ways]float32, largest float64) {
	narrow := float32(largest)
	for lane, part := range parts {
		b.trials.S[lane] = float32(narrow * part)
	}
}

// extreme is the value of the largest magnitude.
func (g *group) extreme() float64 {
	if -g.lo > g.hi {
		return g.lo
	}
	return g.hi
}

// oneSign reports whether all values have the same sign.
func (g *group) oneSign() bool { return g.lo > 0 || g.hi < 0 }

// seek finds the scale of the least error for a group: of those of the passes, and of what fits the codes of each lane best.
func (b *block) seek(g *group, c *evenCodes) {
	largest := g.extreme()
	g.fit, g.exact = fit{err: g.squares}, c.exact
	if math.Abs(largest) < 1e-30 { // of the block's largest
		return
	}
	for pass := range c.tries {
		b.tryParts(&c.tries[pass], largest)
		b.improve(g, c)
	}
	if g.oneSign() {
		for pass := range c.fine {
			b.tryParts(&c.fine[pass], largest)
			b.improve(g, c)
		}
	}
	if c.exact { // the passes are close enough
		return
	}
	if g.exact {
		for lane := range ways {
			b.trials.AloneS[lane] = float32(b.alone(g, lane))
		}
	}
	b.trials.S = b.trials.AloneS
	b.improve(g, c)
}

// seekNear looks for a better scale between the best and those that were tried next to it.
func (b *block) seekNear(g *group, c *evenCodes) {
	if g.tried == 0 {
		return
	}
	best := float32(g.tried)
	apart := float32(c.step * float64(g.tried*g.tried) / math.Abs(g.extreme()))
	for lane := range ways {
		b.trials.S[lane] = best + float32(apart*(float32(2*lane+1-ways)/float32(ways)))
	}
	b.improve(g, c)
}

// improve looks for a better fit among the lanes.
func (b *block) improve(g *group, c *evenCodes) {
	b.round(g, c.min, c.max)
	lane := least(&b.trials.Alone)
	err := float64(b.trials.Alone[lane])
	if !g.exact && err < exactBelow*g.squares {
		g.exact = true
		b.improve(g, c)
		return
	}
	if err < g.fit.err {
		g.fit, g.tried = fit{scale: b.alone(g, lane), err: err}, float64(b.trials.S[lane])
	}
}

// single chooses the scale of a block that has one and no minimum, and leaves the codes in b.q. It returns the scale's F16.
func (b *block) single(c *evenCodes) (bits uint16) {
	g := &b.narrow(len(b.x))[0]
	b.trials.M = [ways]float32{}
	b.seek(g, c)
	b.seekNear(g, c)
	g.exact = true
	err := float32(math.Inf(1))
	try := func() {
		b.round(g, c.min, c.max)
		if lane := least(&b.trials.Error); b.trials.Error[lane] < err {
			err = b.trials.Error[lane]
			bits, _ = b.half(float64(b.trials.S[lane]))
		}
	}
	if g.nearlyExact() { // what rounding the scale to F16 costs decides
		for pass := range c.tries {
			b.tryParts(&c.tries[pass], g.extreme())
			b.round(g, c.min, c.max)
			for lane := range ways {
				_, value := b.half(b.alone(g, lane))
				b.trials.S[lane] = float32(value)
			}
			try()
		}
	}
	b.around(g.fit.scale)
	try()
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

// around sets the lanes to scale and its neighbours among F16, the nearest first.
func (b *block) around(scale float64) {
	bits, value := b.half(scale)
	plain := bits&0x7fff >= 0x400+uint16(ways) && bits&0x7fff < 0x7c00-uint16(ways) // normal, as its neighbours are
	wide := math.Float32bits(float32(value))
	for lane := range ways {
		away := (lane + 1) / 2 * (1 - 2*(lane%2))
		if plain {
			b.trials.S[lane] = math.Float32frombits(wide + uint32(away<<13))
			continue
		}
		b.trials.S[lane] = float32(halfValue(neighbour(bits, away)) * b.perUnit)
	}
}

// neighbour is the F16 so many away in magnitude, or the same if that is infinite, zero or has another sign.
func neighbour(bits uint16, away int) uint16 {
	near := bits + uint16(away)
	if near&0x8000 != bits&0x8000 || near&0x7fff >= 0x7c00 || near&0x7fff == 0 {
		return bits
	}
	return near
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
