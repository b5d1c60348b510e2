package tensor

import "github.com/gomamba/gomamba/internal/codebook"

// iq3_s has blocks of 256 elements in 110 bytes, 64 groups of four; the elements of group r are d*(1+2*l[r/8]) times those of
// row q[r] of a table, with signs.
//
//	byte 0   d      the scale, F16
//	byte 2   q      64 bytes: the low eight bits of q[r]
//	byte 66  qh     8 bytes; bit r%8 of byte r/8 is the highest of q[r]
//	byte 74  signs  32 bytes; element i of the block is negative if bit i%8 of byte i/8 is set
//	byte 106 l      4 bytes; in byte j the low four bits are l[2j], the high four l[2j+1]
//
// It is block_iq3_s of llama.cpp (ggml-common.h).
var iq3_s = codec{
	name: "IQ3_S", elems: blockK, bytes: 110, kind: floatKind, ggml: 21,
	widen32: dequantizeIQ3S[float32],
	widen64: dequantizeIQ3S[float64],
}

// dequantizeIQ3S decodes IQ3_S blocks.
func dequantizeIQ3S[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[110:] {
		d := F(half(src))
		for r := range 64 {
			q := int(src[2+r]) | int(src[66+r/8]>>(r%8)&1)<<8
			l := d * (1 + 2*F(nibble(src[106+r/16], r/8)))
			signed(dst[4*r:][:4], codebook.IQ3S[q][:], l, src[74+r/2]>>(4*(r%2)))
		}
	}
}
