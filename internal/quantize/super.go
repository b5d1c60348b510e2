package quantize

import "math"

// superCodes are blocks of 256 in sub-blocks of size elements, without minima. Values are d·multiplier·code, where d is an
// F16, and the multiplier an integer of a sub-block.
type superCodes struct {
	*codes
	size            int
	lowest, highest int     // multipliers
	from, to        float64 // what the largest scale is tried as, in steps of d
	tries           int
}

// superBlock is a choice for a block of 256.
type superBlock struct {
	d, dmin         uint16
	multiplier, min [16]int
	q               [256]int8
	err             float64
	refit, refitMin float64 // d and dmin that fit best
}

// symmetric chooses d, multipliers and codes of a block of 256.
func (b *block) symmetric(c *superCodes) *superBlock {
	n := 256 / c.size
	var scales [16]float64
	largest, tries := 0.0, 4*c.tries
	for j := range n {
		p, w := &b.profiles[j], b.w[j*c.size:][:c.size]
		p.measure(c.codes, b.x[j*c.size:][:c.size], w)
		scales[j] = p.best()
		if p.exact = p.nearlyExact(w, scales[j]); !p.exact {
			tries = c.tries
		}
		if math.Abs(scales[j]) > math.Abs(largest) {
			largest = scales[j]
		}
	}
	// The multipliers go one further down than up, so the largest scale is made negative.
	bestD, bestErr := -largest/c.from, math.Inf(1)
	for i := range tries {
		d := -largest / (c.from + float64((c.to-c.from)*(float64(i)/float64(tries-1))))
		if err := b.superError(c, &scales, d, bestErr); err < bestErr {
			bestD, bestErr = d, err
		}
	}
	best, next := &b.supers[0], &b.supers[1]
	b.multiply(best, c, &scales, bestD)
	for range 2 {
		if b.multiply(next, c, &scales, best.refit); next.err >= best.err {
			break
		}
		best, next = next, best
	}
	return best
}

// superError is about the error that d leaves; it may stop above limit.
func (b *block) superError(c *superCodes, scales *[16]float64, d, limit float64) float64 {
	_, d = half(d)
	t, total := inverse(d), 0.0
	for j := 0; j < 256/c.size && total < limit; j++ {
		p := &b.profiles[j]
		if p.exact {
			least := p.xx
			for m := c.lowest; m <= c.highest; m++ {
				least = min(least, p.at(d*float64(m)))
			}
			total += least
			continue
		}
		below := math.Floor(clamp(float64(scales[j]*t), float64(c.lowest), float64(c.highest)-1))
		total += min(p.at(d*below), p.at(d*(below+1)))
	}
	return total
}

// multiply rounds the scales to multiples of d, to the neighbour that leaves the least error, and all values to codes.
func (b *block) multiply(s *superBlock, c *superCodes, scales *[16]float64, d float64) {
	s.d, d = half(d)
	s.err = 0
	t := inverse(d)
	var xq, qq float64
	for j := range 256 / c.size {
		p := &b.profiles[j]
		x, w := b.x[j*c.size:][:c.size], b.w[j*c.size:][:c.size]
		near := round(clamp(float64(scales[j]*t), float64(c.lowest), float64(c.highest)))
		from, to := max(c.lowest, near-1), min(c.highest, near+1)
		if p.exact {
			from, to = c.lowest, c.highest
		}
		best := math.Inf(1)
		var sum sums
		for m := from; m <= to; m++ {
			scale := d * float64(m)
			try := c.encode(b.tmp[:], x, w, scale)
			if err := try.error(p.xx, scale); err < best {
				best, sum, s.multiplier[j] = err, try, m
				copy(s.q[j*c.size:], b.tmp[:c.size])
			}
		}
		m := float64(s.multiplier[j])
		s.err += best
		xq += float64(m * sum.xq)
		qq += float64(m * m * sum.qq)
	}
	s.refit = xq * inverse(qq)
}

// nearlyExact reports whether codes fit values much better than rounding to steps of scale usually does, as when all are the
// same. Then many scales do, and which of them is near to a multiple of d matters more than which is the best.
func (p *profile) nearlyExact(w []float64, scale float64) bool {
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	return p.least < 0.02*float64(scale*scale*sum)
}

// singleOfTable chooses the scale of a block that has one and codes of a table, and leaves the codes in b.q. It returns the scale's F16.
func (b *block) singleOfTable(c *codes) (bits uint16) {
	p := &b.profiles[0]
	p.measure(c, b.x, b.w)
	scale := p.best()
	if p.least < 1e-5*p.xx { // the codes can be nearly exact: what rounding the scale costs decides
		scale = p.bestHalf()
	}
	best := math.Inf(1)
	for range 2 {
		h, d := half(scale)
		s := c.encode(b.tmp[:], b.x, b.w, d)
		err := s.error(p.xx, d)
		if err >= best {
			break
		}
		bits, best, b.q = h, err, b.tmp
		if s.qq == 0 {
			break
		}
		scale = s.xq / s.qq
	}
	return bits
}
