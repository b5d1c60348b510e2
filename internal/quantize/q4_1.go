package quantize

import "encoding/binary"

// Blocks of 32 with a scale and a minimum, which is stored with its sign turned.
var (
	codesQ4_1 = newAffine(15, true, affineRange{from: 13.3, to: 16.5, first: -0.2, step: 0.4, passes: 1, rounds: 1})
	codesQ5_1 = newAffine(31, true, affineRange{from: 27.5, to: 33, first: -0.4, step: 0.4, passes: 2, rounds: 1})
)

func encodeQ4_1(b *block, dst []byte) {
	scale, least := b.affine(codesQ4_1)
	binary.LittleEndian.PutUint16(dst, scale)
	binary.LittleEndian.PutUint16(dst[2:], least)
	for i := range 16 {
		dst[4+i] = byte(b.q[i]) | byte(b.q[16+i])<<4
	}
}

func encodeQ5_1(b *block, dst []byte) {
	scale, least := b.affine(codesQ5_1)
	binary.LittleEndian.PutUint16(dst, scale)
	binary.LittleEndian.PutUint16(dst[2:], least)
	high := uint32(0)
	for i := range 16 {
		lo, hi := byte(b.q[i]), byte(b.q[16+i])
		dst[8+i] = lo&15 | hi<<4
		high |= uint32(lo>>4)<<i | uint32(hi>>4)<<(16+i)
	}
	binary.LittleEndian.PutUint32(dst[4:], high)
}
