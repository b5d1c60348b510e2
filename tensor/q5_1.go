package tensor

import "encoding/binary"

// q5_1 has blocks of 32 elements in 24 bytes; element i is d*q[i] + m, rounded to float32 once.
//
//	byte 0   d     the scale, F16
//	byte 2   m     what a q of 0 stands for, F16
//	byte 4   h     32 bits; bit i is the highest of the five bits of q[i]
//	byte 8   q     16 bytes; in byte i the low four bits are those of q[i], the high four those of q[16+i]
//
// It is block_q5_1 of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q5_1 (ggml-quants.c).
var q5_1 = codec{
	name: "Q5_1", elems: 32, bytes: 24, kind: floatKind, ggml: 7,
	widen32: dequantizeQ51[float32],
	widen64: dequantizeQ51[float64],
}

func dequantizeQ51[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		d, m, h := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:])
		low, high := dst[:16], dst[16:32]
		for i, q := range src[8:24] {
			low[i] = F(scaled(q&15|byte(h>>i&1)<<4, d) + m)
			high[i] = F(scaled(q>>4|byte(h>>(16+i)&1)<<4, d) + m)
		}
		dst, src = dst[32:], src[24:]
	}
}
