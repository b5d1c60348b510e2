package quantize

import "encoding/binary"

// Blocks of 32 with one scale. Below the smallest inverse scale too much is lost to wide steps, above the largest to
// clipping; the range was chosen by the error on Gaussian weights and on those of trained models.
var (
	codesQ4 = newEven(-8, 7, 5.7, 11, 1, 2)
	codesQ5 = newEven(-16, 15, 12, 20, 1, 1)
	codesQ8 = newEven(-127, 127, 108, 129, 3, 1)
)

func encodeQ4_0(b *block, dst []byte) {
	binary.LittleEndian.PutUint16(dst, b.single(codesQ4))
	for i := range 16 {
		dst[2+i] = byte(b.q[i]+8) | byte(b.q[16+i]+8)<<4
	}
}

func encodeQ5_0(b *block, dst []byte) {
	binary.LittleEndian.PutUint16(dst, b.single(codesQ5))
	high := uint32(0)
	for i := range 16 {
		lo, hi := byte(b.q[i]+16), byte(b.q[16+i]+16)
		dst[6+i] = lo&15 | hi<<4
		high |= uint32(lo>>4)<<i | uint32(hi>>4)<<(16+i)
	}
	binary.LittleEndian.PutUint32(dst[2:], high)
}

func encodeQ8_0(b *block, dst []byte) {
	binary.LittleEndian.PutUint16(dst, b.single(codesQ8))
	for i, q := range b.q[:32] {
		dst[2+i] = byte(q)
	}
}

// valuesIQ4 are the values of IQ4_NL and IQ4_XS (kvalues_iq4nl of ggml-common.h).
var valuesIQ4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

var codesIQ4 = &codes{table: newLadders(&valuesIQ4), from: 85, to: 165, bins: 48}

func encodeIQ4NL(b *block, dst []byte) {
	binary.LittleEndian.PutUint16(dst, b.singleOfTable(codesIQ4))
	for i := range 16 {
		dst[2+i] = byte(b.q[i]) | byte(b.q[16+i])<<4
	}
}
