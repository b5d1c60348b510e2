package quantize

// offsets is how many origins of the codes of a block with a minimum are tried, each with affineBins scales.
const (
	offsets    = 3
	affineBins = 40
)

// affineCodes are codes 0 to max for values scale·q - min, scale at least 0.
type affineCodes struct {
	max         int
	from, to    float64 // the scales worth a look: what the range of the values becomes in steps
	first, step float64 // where code 0 is tried, in steps above the least value: first + i·step
	signed      bool    // whether the minimum may be negative, so that all values lie above 0
}

// affineSums are what decides the error of a scale s and a minimum m with given codes q: Σ w·q, Σ w·q² and Σ w·x·q, beside
// w = Σ w, x = Σ w·x and xx = Σ w·x² of the values.
type affineSums struct{ q, qq, xq float64 }

// affineFit is a set of codes and the scale and minimum that fit it best.
type affineFit struct {
	affineSums
	scale, min, err float64
}

// affineFits has the best set of codes for each origin, the best of all first.
type affineFits struct {
	w, x, xx float64
	fit      [offsets]affineFit
}

// affineWalk is where the steps of codes are noted.
type affineWalk [affineBins]affineSums

// error is the weighted squared error of scale and min with the codes of s.
func (f *affineFits) error(s *affineSums, scale, min float64) float64 {
	byScale := float64(scale*s.qq) - float64(2*s.xq) - float64(min*(s.q+s.q))
	byMin := float64(min*f.w) + float64(2*f.x)
	return f.xx + float64(scale*byScale) + float64(min*byMin)
}

// solve completes s by least squares. Unless signed, min is 0 where it would be negative.
func (f *affineFits) solve(s affineSums, signed bool) affineFit {
	det := float64(f.w*s.qq) - float64(s.q*s.q)
	fit := affineFit{affineSums: s}
	if det > 1e-9*float64(f.w*s.qq) {
		fit.scale = (float64(f.w*s.xq) - float64(f.x*s.q)) / det
	}
	fit.min = (float64(fit.scale*s.q) - f.x) / f.w
	if fit.min < 0 && !signed {
		fit.scale, fit.min = 0, 0
		if s.qq > 0 {
			fit.scale = max(0, s.xq/s.qq)
		}
	}
	fit.err = f.error(&s, fit.scale, fit.min)
	return fit
}

// measure finds the best codes for values x of weights w. It is like profile.measure, once for each origin.
func (f *affineFits) measure(c *affineCodes, walk *affineWalk, x, w []float64) {
	lo, hi := x[0], x[0]
	f.w, f.x, f.xx = 0, 0, 0
	for i, v := range x {
		lo, hi = min(lo, v), max(hi, v)
		wx := float64(w[i] * v)
		f.w += w[i]
		f.x += wx
		f.xx += float64(wx * v)
	}
	if !c.signed {
		lo = min(lo, 0)
	}
	if hi <= lo { // all the same: code 0 and the minimum, or all zero
		for i := range f.fit {
			f.fit[i] = f.solve(affineSums{}, c.signed)
		}
		return
	}
	for i := range f.fit {
		origin := lo + float64((hi-lo)/float64(c.max)*(c.first+float64(float64(i)*c.step)))
		f.fit[i] = f.walk(c, walk, x, w, origin, hi-origin)
		if f.fit[i].err < f.fit[0].err {
			f.fit[0], f.fit[i] = f.fit[i], f.fit[0]
		}
	}
}

// walk returns the best codes for all scales of one origin, from which the largest value is span away.
func (f *affineFits) walk(c *affineCodes, walk *affineWalk, x, w []float64, origin, span float64) affineFit {
	*walk = affineWalk{}
	low := c.from / span
	perBin := (affineBins - 1) * span / (c.to - c.from)
	offset := float64(low * perBin)
	for i, v := range x {
		a := v - origin
		if a <= 0 {
			continue
		}
		wi := w[i]
		wx := float64(wi * v)
		k := min(int(float64(a*low)+0.5), c.max)
		q := float64(k)
		walk[0].q += float64(wi * q)
		walk[0].qq += float64(wi * float64(q*q))
		walk[0].xq += float64(wx * q)
		stride := perBin / a
		at := float64((q+0.5)*stride) - offset
		rise := float64(wi * (q + q + 1))
		for ; k < c.max && at < affineBins-1; k++ {
			s := &walk[int(at)+1]
			s.q += wi
			s.qq += rise
			s.xq += wx
			at += stride
			rise += wi + wi
		}
	}
	return f.bestOf(walk, c.signed)
}

// bestOf sums the steps up and returns the best fit. What codes take off xx is their covariance with x, squared, over their
// variance, and x²/w by the minimum; if there is none, xq²/qq.
func (f *affineFits) bestOf(walk *affineWalk, signed bool) affineFit {
	var s, best affineSums
	num, den := -1.0, 1.0
	perW := 1 / f.w
	mean := f.x * perW
	for i := range walk {
		s.q += walk[i].q
		s.qq += walk[i].qq
		s.xq += walk[i].xq
		xq := s.xq - float64(mean*s.q)
		qq := s.qq - float64(s.q*s.q*perW)
		flat := qq <= 1e-9*s.qq // all codes are the same
		gain := float64(xq*xq) + float64(f.x*mean*qq)
		if !signed && (flat && f.x > 0 || float64(xq*s.q) < float64(f.x*qq)) { // no minimum, or it would be negative
			gain, qq = float64(s.xq*s.xq), s.qq
		} else if flat {
			gain, qq = float64(f.x*mean), 1
		}
		if float64(gain*den) > float64(num*qq) {
			best, num, den = s, gain, qq
		}
	}
	return f.solve(best, signed)
}

// encode rounds (x + min)/scale to codes in q and returns their sums.
func (c *affineCodes) encode(q []int8, x, w []float64, scale, min float64) (s affineSums) {
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
		k := int(y)
		q[i] = int8(k)
		f := float64(k)
		wf := float64(w[i] * f)
		s.q += wf
		s.qq += float64(wf * f)
		s.xq += float64(wf * v)
	}
	return s
}
