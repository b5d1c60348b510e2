package quantize

import (
	"math"
	"sort"
)

// valuesE2M1 are twice the values of E2M1 in ascending order, as the codes of a table ascend; both zeros are 0 here.
var valuesE2M1 = [16]int8{-12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12}

var codesE2M1 = &codes{table: newLadders(&valuesE2M1), from: 7, to: 20, bins: 48}

// e2m1 is the E2M1 of a code.
func e2m1(code int8) byte {
	switch {
	case code >= 8:
		return byte(code) - 8
	case code == 7:
		return 0
	}
	return 15 - byte(code)
}

// scaleOf returns the index of the scale that leaves the least error, and leaves its codes in q. Looked at are those from three
// before to three after each of near.
func (b *block) scaleOf(q []int8, x, w []float64, xx float64, scales []float64, near ...int) (best int) {
	least := math.Inf(1)
	for k := range near {
		near[k] = max(0, min(near[k], len(scales)))
		at := near[k]
		for i := max(0, at-3); i < min(at+3, len(scales)); i++ {
			if k > 0 && i >= near[0]-3 && i < near[0]+3 {
				continue
			}
			s := codesE2M1.encode(b.tmp[:], x, w, scales[i])
			if err := s.error(xx, scales[i]); err < least {
				best, least = i, err
				copy(q, b.tmp[:len(x)])
			}
		}
	}
	return best
}

// scalesE8M0 are the values of E8M0, halved for the doubled values of codes. From 253 on the largest
// would be infinite.
var scalesE8M0 = func() (s [253]float64) {
	for i := range s {
		s[i] = math.Ldexp(1, i-128)
	}
	return s
}()

// encodeMXFP4 chooses among the powers of two near the best scale.
func encodeMXFP4(b *block, dst []byte) {
	p := &b.profiles[0]
	p.measure(codesE2M1, b.x, b.w)
	scale := p.best()
	_, exponent := math.Frexp(scale) // scale < 2^exponent
	dst[0] = byte(b.scaleOf(b.q[:], b.x, b.w, p.xx, scalesE8M0[:], exponent+128))
	for i := range 16 {
		dst[1+i] = e2m1(b.q[i]) | e2m1(b.q[16+i])<<4
	}
}

// scalesE4M3 are the values of unsigned E4M3, halved for the doubled values of codes.
var scalesE4M3 = func() (s [127]float64) {
	for i := range s {
		if s[i] = float64(i%8) / 1024; i >= 8 {
			s[i] = math.Ldexp(float64(8+i%8), i/8-11)
		}
	}
	return s
}()

// encodeNVFP4 chooses among the values of E4M3 near the best scale of each of four sub-blocks.
func encodeNVFP4(b *block, dst []byte) {
	for j := range 4 {
		x, w := b.x[16*j:][:16], b.w[16*j:][:16]
		p := &b.profiles[0]
		p.measure(codesE2M1, x, w)
		scale := p.best()
		largest := 0.0
		for _, v := range x {
			largest = max(largest, math.Abs(v))
		}
		near := sort.SearchFloat64s(scalesE4M3[:], math.Abs(scale))
		plain := sort.SearchFloat64s(scalesE4M3[:], largest/12) // where nothing is clipped
		q := b.q[16*j:][:16]
		dst[j] = byte(b.scaleOf(q, x, w, p.xx, scalesE4M3[:], near, plain))
		for i := range 8 {
			dst[4+8*j+i] = e2m1(q[i]) | e2m1(q[8+i])<<4
		}
	}
}
