package tensor

import (
	"encoding/binary"

	"github.com/gomamba/gomamba/internal/codebook"
)

// iq2_xxs has blocks of 256 elements in 66 bytes, eight sub-blocks of four groups of eight; the elements of group k of
// sub-block s are d*(0.5+l[s])/4 times those of row q[s][k] of a table, with signs.
//
//	byte 0   d     the scale, F16
//	byte 2         8 times 8 bytes:
//	         q     4 bytes
//	         b     32 bits; from bit 7k the signs of group k (codebook.Signs), in the highest four l
//
// It is block_iq2_xxs of llama.cpp (ggml-common.h).
var iq2_xxs = codec{
	name: "IQ2_XXS", elems: blockK, bytes: 66, kind: floatKind, ggml: 16,
	widen32: dequantizeIQ2XXS[float32],
	widen64: dequantizeIQ2XXS[float64],
}

// dequantizeIQ2XXS decodes IQ2_XXS blocks.
func dequantizeIQ2XXS[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[66:] {
		d := F(half(src))
		for s := range 8 {
			part := src[2+8*s:][:8]
			b := binary.LittleEndian.Uint32(part[4:])
			l := d * (0.5 + F(b>>28)) / 4
			for k, q := range part[:4] {
				signed(dst[32*s+8*k:][:8], codebook.IQ2XXS[q][:], l, codebook.Signs(byte(b>>(7*k))))
			}
		}
	}
}
