package quantize

import "math"

const gridTrials = 12

// gridCodes are blocks of 256 whose codes are rows of a table of vectors. The values of a sub-block of size elements are
// d·(2·multiplier + 1)·unit times the elements of its rows, with signs apart or not.
type gridCodes struct {
	*vectors
	levels     int
	middle     [2]float64 // between levels, if they are three
	perLevel   float64    // if they are eight: one over the distance between them
	shift      [2]float64 // that rows may have; the second for rows with numbers from the table's length on
	shifts     int        // how many of them there are
	shared     bool       // one shift for the whole sub-block
	unsigned   bool       // rows are magnitudes, with the signs of eight elements beside them
	even       bool       // of which an even number are negative
	size       int
	highest    int // multiplier
	unit       float64
	from, to   float64 // the scales worth a look: what the largest magnitude becomes in units of rows
	scales     int     // how many of them are searched
	dFrom, dTo float64 // what the largest scale is tried as, in steps of d·unit
}

// gridBlock is a choice for a block of 256.
type gridBlock struct {
	d          uint16
	multiplier [16]int
	row        [64]uint16 // with the table's length added for the other shift
	err, refit float64
	whole      float64 // d that keeps Σ w·x·(value of x) what it is without rounding, Σ w·x²
}

// gridFit is what is known of a sub-block.
type gridFit struct {
	xx    float64
	trial [gridTrials]sums
	scale float64 // the best
}

// at returns about the error of scale, by the rows that were found for other scales.
func (f *gridFit) at(c *gridCodes, scale float64) float64 {
	err := f.xx
	for _, s := range f.trial[:c.scales] {
		err = min(err, s.error(f.xx, scale))
	}
	return err
}

// grid chooses d, multipliers, rows and signs of a block of 256. Afterwards b.signs has the signs of eight elements each.
func (b *block) grid(c *gridCodes) *gridBlock {
	if c.unsigned {
		b.split(c.even)
	}
	largest := 0.0
	for j := range 256 / c.size {
		b.tryScales(c, j)
		largest = max(largest, b.gridFits[j].scale)
	}
	const tries = 21
	bestD, bestErr := largest/c.dTo, math.Inf(1)
	for i := range tries {
		d := largest / (c.dFrom + float64((c.dTo-c.dFrom)*float64(i)/(tries-1)))
		if err := b.gridError(c, d, bestErr); err < bestErr {
			bestD, bestErr = d, err
		}
	}
	best, next := &b.grids[0], &b.grids[1]
	b.multiplyGrid(best, c, bestD)
	for range 2 {
		if b.multiplyGrid(next, c, best.refit); next.err >= best.err {
			break
		}
		best, next = next, best
	}
	b.lengthen(best, c)
	return best
}

// lengthen moves d about halfway from what fits best to what keeps the length of the block. The best fit is too short in the
// direction of its own values, in every block alike, and such errors add up over the columns of a row. From a twentieth
// on it is less again: of a block that codes hardly fit, the squared error would grow too much.
func (b *block) lengthen(s *gridBlock, c *gridCodes) {
	d := float64(halfValue(s.d) * c.unit)
	part := float64((float64(s.whole*inverse(d)) - 1) / 2) // of d
	if part = min(part, 0.1-part); part > 0 {
		s.d, _ = half((d + float64(d*part)) / c.unit)
	}
}

// split moves the signs of b.x to b.signs and leaves magnitudes. If an even number must be negative and is not, the sign of the
// element that costs least is turned, and its magnitude becomes negative.
func (b *block) split(even bool) {
	for i := range b.signs {
		x, w := b.x[8*i:][:8], b.w[8*i:][:8]
		signs, odd, cheapest := byte(0), false, 0
		for j, v := range x {
			if v < 0 {
				signs |= 1 << j
				odd = !odd
				x[j] = -v
			}
			if float64(w[j]*x[j]) < float64(w[cheapest]*x[cheapest]) {
				cheapest = j
			}
		}
		if odd && even {
			signs ^= 1 << cheapest
			x[cheapest] = -x[cheapest]
		}
		b.signs[i] = signs
	}
}

// tryScales fills b.gridFits[j] with the rows for some scales.
func (b *block) tryScales(c *gridCodes, j int) {
	f := &b.gridFits[j]
	amax := 0.0
	f.xx, f.scale = 0, 0
	for i, v := range b.x[j*c.size:][:c.size] {
		amax = max(amax, math.Abs(v))
		f.xx += float64(b.w[j*c.size+i] * float64(v*v))
	}
	f.trial = [gridTrials]sums{}
	if amax == 0 {
		return
	}
	best := f.xx
	for i := range c.scales {
		u := c.from + float64((c.to-c.from)*float64(i)/float64(c.scales-1))
		s := b.rows(&b.tmpRows, c, j, amax/u)
		f.trial[i] = s
		if s.qq > 0 {
			if scale := s.xq / s.qq; s.error(f.xx, scale) < best && scale > 0 {
				best, f.scale = s.error(f.xx, scale), scale
			}
		}
	}
}

// rows finds the best rows of sub-block j for scale, and returns their sums. Rows are left in row by their place in the block.
func (b *block) rows(row *[64]uint16, c *gridCodes, j int, scale float64) (s sums) {
	per := c.size / c.width
	if !c.shared {
		for i := range per {
			s.add(b.bestRow(row, c, j*per+i, scale, 0, c.shifts))
		}
		return s
	}
	var other sums
	for i := range per {
		s.add(b.bestRow(row, c, j*per+i, scale, 0, 1))
	}
	for i := range per {
		other.add(b.bestRow(&b.otherRows, c, j*per+i, scale, 1, 2))
	}
	if other.error(0, scale) < s.error(0, scale) {
		copy(row[j*per:][:per], b.otherRows[j*per:])
		return other
	}
	return s
}

func (s *sums) add(o sums) { s.xq += o.xq; s.qq += o.qq }

// bestRow finds the best row number i of the block for scale, among those with the shifts from first to before last.
func (b *block) bestRow(row *[64]uint16, c *gridCodes, i int, scale float64, first, last int) (best sums) {
	x, w := b.x[i*c.width:][:c.width], b.w[i*c.width:][:c.width]
	var y, weights [8]float64
	t := inverse(scale)
	for k := first; k < last; k++ {
		number := 0
		for e := c.width - 1; e >= 0; e-- {
			v := float64(x[e]*t) - c.shift[k]
			y[e], weights[e] = v, w[e]
			if c.levels == 3 {
				number *= 3
				if v > c.middle[0] {
					number++
				}
				if v > c.middle[1] {
					number++
				}
				continue
			}
			number = number*8 + max(0, min(7, int(float64(v*c.perLevel))))
		}
		r := c.find(number, &y, &weights)
		var s sums
		for e, v := range c.vectors.rows[r][:c.width] {
			v += c.shift[k]
			s.xq += float64(w[e] * float64(x[e]*v))
			s.qq += float64(w[e] * float64(v*v))
		}
		if k == first || s.error(0, scale) < best.error(0, scale) {
			best = s
			row[i] = uint16(r + k*len(c.vectors.rows))
		}
	}
	return best
}

// gridError is about the error that steps of d leave; it may stop above limit.
func (b *block) gridError(c *gridCodes, d, limit float64) float64 {
	t, total := inverse(d), 0.0
	for j := 0; j < 256/c.size && total < limit; j++ {
		f := &b.gridFits[j]
		below := math.Floor(clamp((float64(f.scale*t)-1)/2, 0, float64(c.highest-1)))
		total += min(f.at(c, d*(2*below+1)), f.at(c, d*(2*below+3)))
	}
	return total
}

// multiplyGrid rounds the scales to odd multiples of d, to the neighbour that leaves the least error, and finds the
// rows for them.
func (b *block) multiplyGrid(s *gridBlock, c *gridCodes, d float64) {
	s.d, d = half(d / c.unit)
	d *= c.unit
	s.err = 0
	t := inverse(d)
	var xx, xq, qq float64
	for j := range 256 / c.size {
		f := &b.gridFits[j]
		xx += f.xx
		below := int(clamp((float64(f.scale*t)-1)/2, 0, float64(c.highest-1)))
		best := math.Inf(1)
		var sum sums
		for m := below; m <= below+1; m++ {
			scale := d * float64(2*m+1)
			try := b.rows(&b.tmpRows, c, j, scale)
			if err := try.error(f.xx, scale); err < best {
				best, sum, s.multiplier[j] = err, try, m
				per := c.size / c.width
				copy(s.row[j*per:][:per], b.tmpRows[j*per:])
			}
		}
		m := float64(2*s.multiplier[j] + 1)
		s.err += best
		xq += float64(m * sum.xq)
		qq += float64(m * m * sum.qq)
	}
	s.refit, s.whole = xq*inverse(qq), xx*inverse(xq)
}
