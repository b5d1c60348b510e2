package tensor

import (
	"encoding/binary"

	"github.com/gomamba/gomamba/internal/codebook"
)

// iq3_xxs has blocks of 256 elements in 98 bytes, eight sub-blocks of four groups of eight; the elements of group k of
// sub-block s are d*(0.5+l[s])/2 times those of rows q[s][2k] and q[s][2k+1] of a table, four in each, with signs.
//
//	byte 0   d     the scale, F16
//	byte 2   q     8 times 8 bytes
//	byte 66  b     8 times 32 bits; from bit 7k the signs of group k (codebook.Signs), in the highest four l[s]
//
// It is block_iq3_xxs of llama.cpp (ggml-common.h).
var iq3_xxs = codec{
	name: "IQ3_XXS", elems: blockK, bytes: 98, kind: floatKind, ggml: 18,
	widen32: dequantizeIQ3XXS[float32],
	widen64: dequantizeIQ3XXS[float64],
}

// dequantizeIQ3XXS decodes IQ3_XXS blocks.
func dequantizeIQ3XXS[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[98:] {
		d := F(half(src))
		for s := range 8 {
			b := binary.LittleEndian.Uint32(src[66+4*s:])
			l := d * (0.5 + F(b>>28)) / 2
			for k := range 4 {
				q, x := src[2+8*s+2*k:][:2], dst[32*s+8*k:][:8]
				signs := codebook.Signs(byte(b >> (7 * k)))
				signed(x[:4], codebook.IQ3XXS[q[0]][:], l, signs)
				signed(x[4:], codebook.IQ3XXS[q[1]][:], l, signs>>4)
			}
		}
	}
}
