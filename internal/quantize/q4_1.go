package quantize

import (
	"encoding/binary"
	"math"
)

// Blocks of 32 with a scale and a minimum, which is stored with its sign turned.
var (
	codesQ4_1 = &affineCodes{max: 15, from: 12.5, to: 19, first: -0.3, step: 0.25, signed: true}
	codesQ5_1 = &affineCodes{max: 31, from: 27, to: 35.5, first: -0.4, step: 0.3, signed: true}
)

// affine chooses the scale and the minimum of a block that has one of each, writes them to dst, and leaves the codes in b.q.
func (b *block) affine(c *affineCodes, dst []byte) {
	f := &b.fits[0]
	f.measure(c, &b.walk, b.x, b.w)
	lo, hi := b.x[0], b.x[0]
	for _, v := range b.x {
		lo, hi = min(lo, v), max(hi, v)
	}
	// From the least to the greatest value: what nothing beats if they are few.
	best := b.affineFrom(c, dst, affineFit{scale: (hi - lo) / float64(c.max), min: -lo}, math.Inf(1))
	for _, fit := range f.fit {
		best = b.affineFrom(c, dst, fit, best)
	}
}

// affineFrom improves on the least error so far by a fit, and by what fits its rounded codes better, if it can.
func (b *block) affineFrom(c *affineCodes, dst []byte, fit affineFit, best float64) float64 {
	f := &b.fits[0]
	for range 3 {
		scaleBits, scale := half(fit.scale)
		minBits, least := half(-fit.min)
		s := c.encode(b.tmp[:], b.x, b.w, scale, -least)
		err := f.error(&s, scale, -least)
		if err >= best {
			break
		}
		best, b.q = err, b.tmp
		binary.LittleEndian.PutUint16(dst, scaleBits)
		binary.LittleEndian.PutUint16(dst[2:], minBits)
		fit = f.solve(s, true)
	}
	return best
}

func encodeQ4_1(b *block, dst []byte) {
	b.affine(codesQ4_1, dst)
	for i := range 16 {
		dst[4+i] = byte(b.q[i]) | byte(b.q[16+i])<<4
	}
}

func encodeQ5_1(b *block, dst []byte) {
	b.affine(codesQ5_1, dst)
	high := uint32(0)
	for i := range 16 {
		lo, hi := byte(b.q[i]), byte(b.q[16+i])
		dst[8+i] = lo&15 | hi<<4
		high |= uint32(lo>>4)<<i | uint32(hi>>4)<<(16+i)
	}
	binary.LittleEndian.PutUint32(dst[4:], high)
}
