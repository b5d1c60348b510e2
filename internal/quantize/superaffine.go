package quantize

import "math"

// superAffine are blocks of 256 in sub-blocks of size elements with minima. Values are d·multiplier·code - dmin·min, where d
// and dmin are F16, and multiplier and min integers of a sub-block.
type superAffine struct {
	*affineCodes
	size     int
	highest  int     // multiplier and min
	from, to float64 // what the largest scale and the largest minimum are tried as, in steps of d and dmin
	tries    int
}

func (c *superAffine) try(i int) float64 {
	return c.from + float64((c.to-c.from)*(float64(i)/float64(c.tries-1)))
}

// affineSuper chooses d, dmin, multipliers, minima and codes of a block of 256.
func (b *block) affineSuper(c *superAffine) *superBlock {
	mirrored := b.mirror(c.size)
	largest, deepest := 0.0, 0.0
	for j := range 256 / c.size {
		f := &b.fits[j]
		f.measure(c.affineCodes, &b.walk, b.x[j*c.size:][:c.size], b.w[j*c.size:][:c.size])
		largest, deepest = max(largest, f.fit[0].scale), max(deepest, f.fit[0].min)
	}
	best, next := &b.supers[0], &b.supers[1]
	best.refit, best.refitMin = b.steps(c, largest, deepest)
	b.multiplyAffine(best, c, best.refit, best.refitMin)
	for range 2 {
		if b.multiplyAffine(next, c, best.refit, best.refitMin); next.err >= best.err {
			break
		}
		best, next = next, best
	}
	if mirrored {
		best.d ^= 0x8000
		best.dmin ^= 0x8000
	}
	return best
}

// mirror turns the signs of a block that has more sub-blocks of positive values alone than of negative ones. Only below zero
// a minimum can follow them; d and dmin turn the signs back.
func (b *block) mirror(size int) bool {
	positive := 0
	for j := 0; j < 256; j += size {
		lo, hi := b.x[j], b.x[j]
		for _, v := range b.x[j : j+size] {
			lo, hi = min(lo, v), max(hi, v)
		}
		if lo > 0 {
			positive++
		}
		if hi < 0 {
			positive--
		}
	}
	if positive <= 0 {
		return false
	}
	for i, v := range b.x {
		b.x[i] = -v
	}
	return true
}

// steps chooses d and dmin by the errors of the codes in b.fits: d with minima of any size first, then dmin.
func (b *block) steps(c *superAffine, largest, deepest float64) (d, dmin float64) {
	const keep = 2
	var ds, errs [keep + 1]float64
	for i := range errs {
		errs[i] = math.Inf(1)
	}
	for i := range c.tries {
		d := largest / c.try(i)
		err := b.affineError(c, d, 0, errs[keep-1])
		for k := keep; k > 0 && err < errs[k-1]; k-- {
			ds[k], errs[k] = ds[k-1], errs[k-1]
			ds[k-1], errs[k-1] = d, err
		}
	}
	if deepest == 0 {
		return ds[0], 0
	}
	best := math.Inf(1)
	for i := range c.tries {
		try := deepest / c.try(i)
		for _, tryD := range ds[:keep] {
			if err := b.affineError(c, tryD, try, best); err < best {
				best, d, dmin = err, tryD, try
			}
		}
	}
	return d, dmin
}

// affineError is about the error that d and dmin leave; a dmin of 0 stands for minima that are not rounded. It may stop
// above limit.
func (b *block) affineError(c *superAffine, d, dmin, limit float64) float64 {
	_, d = half(d)
	t, tmin, total := inverse(d), inverse(dmin), 0.0
	for j := 0; j < 256/c.size && total < limit; j++ {
		f := &b.fits[j]
		best := math.Inf(1)
		perW := 1 / f.w
		for i := range f.fit {
			fit := &f.fit[i]
			if fit.err >= best {
				continue
			}
			below := math.Floor(clamp(float64(fit.scale*t), 0, float64(c.highest)-1))
			for _, m := range [2]float64{below, below + 1} {
				scale := d * m
				least := max(0, float64(float64(scale*fit.q)-f.x)*perW)
				if dmin != 0 {
					least = dmin * float64(round(min(float64(least*tmin), float64(c.highest))))
				}
				best = min(best, f.error(&fit.affineSums, scale, least))
			}
		}
		total += best
	}
	return total
}

// multiplyAffine rounds scales and minima to multiples of d and dmin, to the neighbours that leave the least error, and all
// values to codes.
func (b *block) multiplyAffine(s *superBlock, c *superAffine, d, dmin float64) {
	s.d, d = half(d)
	s.dmin, dmin = half(dmin)
	t, tmin := inverse(d), inverse(dmin)
	s.err = 0
	var n normal
	for j := range 256 / c.size {
		f := &b.fits[j]
		x, w := b.x[j*c.size:][:c.size], b.w[j*c.size:][:c.size]
		nearScale := round(clamp(float64(f.fit[0].scale*t), 0, float64(c.highest)))
		nearMin := round(clamp(float64(f.fit[0].min*tmin), 0, float64(c.highest)))
		best := math.Inf(1)
		var sum affineSums
		for l := max(0, nearScale-1); l <= min(c.highest, nearScale+1); l++ {
			for m := max(0, nearMin-1); m <= min(c.highest, nearMin+1); m++ {
				if l != nearScale && m != nearMin {
					continue
				}
				scale, least := d*float64(l), dmin*float64(m)
				try := c.encode(b.tmp[:], x, w, scale, least)
				if err := f.error(&try, scale, least); err < best {
					best, sum, s.multiplier[j], s.min[j] = err, try, l, m
					copy(s.q[j*c.size:], b.tmp[:c.size])
				}
			}
		}
		s.err += best
		n.add(f, &sum, float64(s.multiplier[j]), float64(s.min[j]))
	}
	s.refit, s.refitMin = n.solve()
}

// normal are the equations of the least squares for d and dmin.
type normal struct{ ll, lm, mm, xl, xm float64 }

func (n *normal) add(f *affineFits, s *affineSums, l, m float64) {
	n.ll += float64(l * l * s.qq)
	n.lm += float64(l * m * s.q)
	n.mm += float64(m * m * f.w)
	n.xl += float64(l * s.xq)
	n.xm += float64(m * f.x)
}

func (n *normal) solve() (d, dmin float64) {
	det := float64(n.ll*n.mm) - float64(n.lm*n.lm)
	if det > 1e-9*float64(n.ll*n.mm) {
		d = (float64(n.xl*n.mm) - float64(n.xm*n.lm)) / det
		dmin = (float64(n.xl*n.lm) - float64(n.xm*n.ll)) / det
	}
	if d <= 0 || dmin < 0 {
		return max(0, n.xl*inverse(n.ll)), 0
	}
	return d, dmin
}
