package quantize

import "encoding/binary"

var (
	superQ3 = &superEven{size: 16, lowest: -32, highest: 31, from: 24, to: 33,
		evenCodes: newEven(-4, 3, 2.2, 6, 1, 2)}
	superQ6 = &superEven{size: 16, lowest: -128, highest: 127, from: 100, to: 128,
		evenCodes: newEven(-32, 31, 26, 36, 1, 1)}
	superIQ4 = &superCodes{size: 32, lowest: -32, highest: 31, from: 24, to: 33, tries: 19, codes: codesIQ4}
)

func encodeQ3K(b *block, dst []byte) {
	s := b.even(superQ3)
	clear(dst)
	mask, qs, scales := dst[:32], dst[32:96], dst[96:108]
	for e, q := range s.q {
		h, j, l := e/128, e/32%4, e%32
		u := byte(q + 4)
		qs[32*h+l] |= u & 3 << (2 * j)
		mask[l] |= u >> 2 << (4*h + j)
	}
	for t, m := range s.multiplier {
		u := byte(m + 32)
		scales[t%8] |= u & 15 << (4 * (t / 8))
		scales[8+t%4] |= u >> 4 << (2 * (t / 4))
	}
	binary.LittleEndian.PutUint16(dst[108:], s.d)
}

func encodeQ6K(b *block, dst []byte) {
	s := b.even(superQ6)
	clear(dst)
	low, high := dst[:128], dst[128:192]
	for e, q := range s.q {
		h, j, l := e/128, e/32%4, e%32
		u := byte(q + 32)
		low[64*h+32*(j%2)+l] |= u & 15 << (4 * (j / 2))
		high[32*h+l] |= u >> 4 << (2 * j)
	}
	for t, m := range s.multiplier {
		dst[192+t] = byte(m)
	}
	binary.LittleEndian.PutUint16(dst[208:], s.d)
}

func encodeIQ4XS(b *block, dst []byte) {
	s := b.symmetric(superIQ4)
	clear(dst[:8])
	binary.LittleEndian.PutUint16(dst, s.d)
	high := uint16(0)
	for j, m := range s.multiplier[:8] {
		u := byte(m + 32)
		high |= uint16(u>>4) << (2 * j)
		dst[4+j/2] |= u & 15 << (4 * (j % 2))
		for i := range 16 {
			dst[8+16*j+i] = byte(s.q[32*j+i]) | byte(s.q[32*j+16+i])<<4
		}
	}
	binary.LittleEndian.PutUint16(dst[2:], high)
}

var (
	superQ2 = &superAffine{size: 16, highest: 15, from: 10.5, to: 18, refits: 2,
		affineCodes: newAffine(3, false, affineRange{from: 2.2, to: 4, first: -0.2, step: 0.5, passes: 1, rounds: 1})}
	superQ4 = &superAffine{size: 32, highest: 63, from: 48, to: 63, refits: 1,
		affineCodes: newAffine(15, false, affineRange{from: 13.3, to: 16.5, first: -0.2, step: 0.55, passes: 1, rounds: 1})}
	superQ5 = &superAffine{size: 32, highest: 63, from: 48, to: 63, refits: 1,
		affineCodes: newAffine(31, false, affineRange{from: 28, to: 33, first: -0.4, step: 0.5, passes: 1, rounds: 1})}
)

func encodeQ2K(b *block, dst []byte) {
	s := b.affineSuper(superQ2)
	clear(dst)
	for t, m := range s.multiplier {
		dst[t] = byte(m) | byte(s.min[t])<<4
	}
	for e, q := range s.q {
		dst[16+32*(e/128)+e%32] |= byte(q) << (2 * (e / 32 % 4))
	}
	binary.LittleEndian.PutUint16(dst[80:], s.d)
	binary.LittleEndian.PutUint16(dst[82:], s.dmin)
}

// putScales writes head and scales of Q4_K and Q5_K.
func putScales(dst []byte, s *superBlock) {
	clear(dst[:16])
	binary.LittleEndian.PutUint16(dst, s.d)
	binary.LittleEndian.PutUint16(dst[2:], s.dmin)
	scales := dst[4:16]
	for j := range 4 {
		scales[j] = byte(s.multiplier[j]) | byte(s.multiplier[j+4]>>4)<<6
		scales[j+4] = byte(s.min[j]) | byte(s.min[j+4]>>4)<<6
		scales[j+8] = byte(s.multiplier[j+4]&15) | byte(s.min[j+4]&15)<<4
	}
}

func encodeQ4K(b *block, dst []byte) {
	s := b.affineSuper(superQ4)
	putScales(dst, s)
	for i := range 128 {
		e := 64*(i/32) + i%32
		dst[16+i] = byte(s.q[e]) | byte(s.q[e+32])<<4
	}
}

func encodeQ5K(b *block, dst []byte) {
	s := b.affineSuper(superQ5)
	putScales(dst, s)
	clear(dst[16:48])
	for i := range 128 {
		e := 64*(i/32) + i%32
		lo, hi := byte(s.q[e]), byte(s.q[e+32])
		dst[48+i] = lo&15 | hi<<4
		dst[16+i%32] |= lo>>4<<(2*(i/32)) | hi>>4<<(2*(i/32)+1)
	}
}
