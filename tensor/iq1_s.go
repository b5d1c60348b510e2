package tensor

import (
	"encoding/binary"

	"github.com/gomamba/gomamba/internal/codebook"
)

// iq1_s has blocks of 256 elements in 50 bytes, eight sub-blocks of four groups of eight; the elements of group k of
// sub-block s are d*(2*l[s]+1) times those of row q[s][k] of a table, of -1, 0 and 1, shifted by 1/8 or -1/8.
//
//	byte 0   d     the scale, F16
//	byte 2   q     8 times 4 bytes: the low eight bits of q[s][k]
//	byte 34  h     8 times 16 bits; from bit 3k the high three bits of q[s][k], from bit 12 three bits l[s], and in bit 15
//	               whether the shift is negative
//
// It is block_iq1_s of llama.cpp (ggml-common.h).
var iq1_s = codec{
	name: "IQ1_S", elems: blockK, bytes: 50, kind: floatKind, ggml: 19,
	widen32: dequantizeIQ1S[float32],
	widen64: dequantizeIQ1S[float64],
}

// dequantizeIQ1S decodes IQ1_S blocks.
func dequantizeIQ1S[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[50:] {
		d := F(half(src))
		for s := range 8 {
			h := int(binary.LittleEndian.Uint16(src[34+2*s:]))
			l := d * F(h>>12&7*2+1)
			for k, q := range src[2+4*s:][:4] {
				shifted(dst[32*s+8*k:][:8], int(q)|h>>(3*k)&7<<8|h>>15<<11, l)
			}
		}
	}
}

// shifted sets x to d times row q of the table of IQ1, whose shift is its highest bit.
func shifted[F float32 | float64](x []F, q int, d F) {
	d /= 8
	for j, g := range codebook.IQ1[q&4095] {
		x[j] = F(g) * d
	}
}
