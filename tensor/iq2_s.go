package tensor

import "github.com/gomamba/gomamba/internal/codebook"

// iq2_s has blocks of 256 elements in 82 bytes, 32 groups of eight; the elements of group k are d*(0.5+l[k/2])/4 times those
// of row q[k] of a table, element i negative if bit i of signs[k] is set.
//
//	byte 0   d      the scale, F16
//	byte 2   q      32 bytes: the low eight bits of q[k]
//	byte 34  signs  32 bytes
//	byte 66  qh     8 bytes; bits 2(k%4) and 2(k%4)+1 of byte k/4 are the high two of q[k]
//	byte 74  l      8 bytes; in byte j the low four bits are l[2j], the high four l[2j+1]
//
// It is block_iq2_s of llama.cpp (ggml-common.h).
var iq2_s = codec{
	name: "IQ2_S", elems: blockK, bytes: 82, kind: floatKind, ggml: 22,
	widen32: dequantizeIQ2S[float32],
	widen64: dequantizeIQ2S[float64],
}

// dequantizeIQ2S decodes IQ2_S blocks.
func dequantizeIQ2S[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[82:] {
		d := F(half(src))
		for k := range 32 {
			q := int(src[2+k]) | int(src[66+k/4]>>(2*(k%4))&3)<<8
			l := d * (0.5 + F(nibble(src[74+k/4], k/2))) / 4
			signed(dst[8*k:][:8], codebook.IQ2S[q][:], l, src[34+k])
		}
	}
}
