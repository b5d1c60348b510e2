package quantize

// superAffine are blocks of 256 in sub-blocks of size elements with minima. Values are d·multiplier·code - dmin·min, where d
// and dmin are F16, and multiplier and min integers of a sub-block.
type superAffine struct {
	*affineCodes
	size     int
	highest  int     // multiplier and min
	from, to float64 // what the largest scale and the largest minimum are tried as, in steps of d and dmin
	refits   int     // how often d and dmin are fitted to the codes
}

// try is d or dmin of lane i, or between lanes.
func (c *superAffine) try(largest, i float64) float64 {
	return largest / (c.from + float64((c.to-c.from)*(i/float64(ways-1))))
}

// nearest is the multiplier that brings a step nearest to v, which is at least 0, of perStep of them in 1.
func (c *superAffine) nearest(v, perStep float64) int {
	return int(min(float64(v*perStep)+0.5, float64(c.highest)))
}

// affineSuper chooses d, dmin, multipliers, minima and codes of a block of 256.
func (b *block) affineSuper(c *superAffine) *superBlock {
	groups := b.narrow(c.size)
	mirrored := mostlyPositive(groups)
	if mirrored {
		for i, v := range b.x {
			b.x[i] = -v
		}
		groups = b.narrow(c.size)
	}
	largest := 0.0
	for j := range groups {
		g := &groups[j]
		b.seekAffine(g, c.affineCodes)
		g.mean = float64(g.first * g.perSum)
		g.middle = float64((g.mean + g.fit.min) * inverse(g.fit.scale))
		largest = max(largest, g.fit.scale)
	}
	best, next := &b.supers[0], &b.supers[1]
	d := b.stepAffine(c, groups, largest)
	b.multiplyAffine(best, c, groups, d, b.stepOfMinima(c, groups, d))
	if allNearlyExact(groups) {
		for i := range 4 * ways { // what rounding d and dmin to F16 costs decides
			d := c.try(largest, float64(i)/4)
			if b.multiplyAffine(next, c, groups, d, b.stepOfMinima(c, groups, d)); next.err < best.err {
				best, next = next, best
			}
		}
	}
	for range c.refits {
		if b.multiplyAffine(next, c, groups, best.refit, best.refitMin); next.err >= best.err {
			break
		}
		best, next = next, best
	}
	d, dmin := halfValue(best.d), halfValue(best.dmin)
	for j := range groups {
		at := j * c.size
		c.encode(best.q[at:at+c.size], b.x[at:at+c.size], float64(d*float64(best.multiplier[j])), float64(dmin*float64(best.min[j])))
	}
	if mirrored {
		best.d ^= 0x8000
		best.dmin ^= 0x8000
	}
	return best
}

// minimumFor is the minimum that goes with another scale, if codes stay about what they are in the mean.
func (g *group) minimumFor(scale float64) float64 {
	if m := float64(scale*g.middle) - g.mean; m > 0 {
		return m
	}
	return 0
}

// stepAffine returns the d that leaves the least error if every scale is rounded to its nearest multiple, with minima of any
// size. The minima that go with it are in the groups' fits afterwards.
func (b *block) stepAffine(c *superAffine, groups []group, largest float64) float64 {
	var ds, per [ways]float64
	var errs [ways]float32
	for i := range ds {
		_, ds[i] = b.half(c.try(largest, float64(i)))
		per[i] = inverse(ds[i])
	}
	for j := range groups {
		g := &groups[j]
		for i, d := range &ds {
			scale := float64(d * float64(c.nearest(g.fit.scale, per[i])))
			b.set(i, scale, g.minimumFor(scale))
		}
		b.round(g, 0, c.max)
		add(&errs, &b.trials.Moved)
	}
	return ds[least(&errs)]
}

// add adds the errors of a group.
func add(errs, more *[ways]float32) {
	for i, err := range more {
		errs[i] += err
	}
}

// stepOfMinima returns the dmin that leaves the least error if every minimum is rounded to its nearest multiple.
func (b *block) stepOfMinima(c *superAffine, groups []group, d float64) float64 {
	perD := inverse(d)
	var scales, mins [16]float64
	deepest := 0.0
	for j := range groups {
		g := &groups[j]
		scales[j] = float64(d * float64(c.nearest(g.fit.scale, perD)))
		mins[j] = g.minimumFor(scales[j])
		deepest = max(deepest, mins[j])
	}
	if deepest == 0 {
		return 0
	}
	var steps, per [ways]float64
	var errs [ways]float32
	for i := range steps {
		_, steps[i] = b.half(c.try(deepest, float64(i)))
		per[i] = inverse(steps[i])
	}
	for j := range groups {
		for i, step := range &steps {
			b.set(i, scales[j], float64(step*float64(c.nearest(mins[j], per[i]))))
		}
		b.round(&groups[j], 0, c.max)
		add(&errs, &b.trials.Error)
	}
	return steps[least(&errs)]
}

// Of the ways, as many multipliers are tried, with as many minima each.
const (
	multipliers = 3
	minima      = ways / multipliers
)

// multiplyAffine chooses multipliers and minima of every sub-block for d and dmin, near those that fit best, and d and dmin
// anew by least squares of their codes.
func (b *block) multiplyAffine(s *superBlock, c *superAffine, groups []group, d, dmin float64) {
	s.d, d = b.half(d)
	s.dmin, dmin = b.half(dmin)
	s.err = 0
	perD, perMin := inverse(d), inverse(dmin)
	var n normal
	for j := range groups {
		g := &groups[j]
		first := max(0, min(c.highest-multipliers+1, c.nearest(g.fit.scale, perD)-multipliers/2))
		var tried [ways]int
		for i := range multipliers {
			scale := float64(d * float64(first+i))
			from := max(0, min(c.highest-minima+1, c.nearest(g.minimumFor(scale), perMin)-minima/2))
			for k := range minima {
				lane := i*minima + k
				tried[lane] = from + k
				b.set(lane, scale, float64(dmin*float64(from+k)))
			}
		}
		b.trials.S[ways-1], b.trials.M[ways-1] = b.trials.S[0], b.trials.M[0]
		b.round(g, 0, c.max)
		best := least(&b.trials.Error)
		s.multiplier[j], s.min[j] = first+best/minima, tried[best]
		s.err += float64(b.trials.Error[best])
		n.add(b, g, best, float64(s.multiplier[j]), float64(s.min[j]))
	}
	s.refit, s.refitMin = n.solve()
}

// normal are the equations of the least squares for d and dmin.
type normal struct{ ll, lm, mm, xl, xm float64 }

// add adds a sub-block whose codes are those of a lane.
func (n *normal) add(b *block, g *group, lane int, l, m float64) {
	q := float64(b.trials.Q[lane])
	qq, xq := b.products(g, lane)
	n.ll += float64(float64(l*l) * qq)
	n.lm += float64(float64(l*m) * q)
	n.mm += float64(float64(m*m) * g.sum)
	n.xl += float64(l * xq)
	n.xm += float64(m * g.first)
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

// mostlyPositive reports whether more groups have positive values alone than negative ones. Only below zero a minimum can
// follow them, so the block turns its signs, and d and dmin turn them back.
func mostlyPositive(groups []group) bool {
	positive := 0
	for j := range groups {
		if groups[j].lo > 0 {
			positive++
		}
		if groups[j].hi < 0 {
			positive--
		}
	}
	return positive > 0
}
