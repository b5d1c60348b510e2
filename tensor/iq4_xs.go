package tensor

import "encoding/binary"

// iq4_xs has blocks of 256 elements in 136 bytes, eight sub-blocks of 32; element i of sub-block s is
// d*(l[s]-32)*iq4Values[q[s][i]].
//
//	byte 0   d     the scale, F16
//	byte 2   h     16 bits; bits 2s and 2s+1 are the high two bits of l[s]
//	byte 4   l     4 bytes; in byte s/2 the low four bits are those of an even l[s], the high four those of an odd one
//	byte 8   q     8 times 16 bytes; in byte i the low four bits are q[s][i], the high four q[s][16+i]
//
// It is block_iq4_xs of llama.cpp (ggml-common.h).
var iq4_xs = codec{
	name: "IQ4_XS", elems: blockK, bytes: 136, kind: floatKind, ggml: 23,
	widen32: dequantizeIQ4XS[float32],
	widen64: dequantizeIQ4XS[float64],
}

// dequantizeIQ4XS decodes IQ4_XS blocks.
func dequantizeIQ4XS[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[136:] {
		d, high := F(half(src)), binary.LittleEndian.Uint16(src[2:])
		for s := range 8 {
			l := int(nibble(src[4+s/2], s)) | int(high>>(2*s)&3)<<4
			fourBits(dst[32*s:][:32], src[8+16*s:][:16], d*F(l-32), &iq4Values)
		}
	}
}
