package tensor

import (
	"encoding/binary"

	"github.com/gomamba/gomamba/internal/codebook"
)

// iq2_xs has blocks of 256 elements in 74 bytes, 32 groups of eight; the elements of group k are d*(0.5+l[k/2])/4 times those
// of row q[k] of a table, with signs.
//
//	byte 0   d     the scale, F16
//	byte 2   q     32 times 16 bits: the low nine are q[k], the others the signs (codebook.Signs)
//	byte 66  l     8 bytes; in byte j the low four bits are l[2j], the high four l[2j+1]
//
// It is block_iq2_xs of llama.cpp (ggml-common.h).
var iq2_xs = codec{
	name: "IQ2_XS", elems: blockK, bytes: 74, kind: floatKind, ggml: 17,
	widen32: dequantizeIQ2XS[float32],
	widen64: dequantizeIQ2XS[float64],
}

// dequantizeIQ2XS decodes IQ2_XS blocks.
func dequantizeIQ2XS[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[74:] {
		d := F(half(src))
		for k := range 32 {
			q := binary.LittleEndian.Uint16(src[2+2*k:])
			l := d * (0.5 + F(nibble(src[66+k/4], k/2))) / 4
			signed(dst[8*k:][:8], codebook.IQ2XS[q&511][:], l, codebook.Signs(byte(q>>9)))
		}
	}
}
