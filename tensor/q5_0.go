package tensor

import "encoding/binary"

// q5_0 has blocks of 32 elements in 22 bytes; element i is d*(q[i]-16), which float32 holds exactly.
//
//	byte 0   d     the scale, F16
//	byte 2   h     32 bits; bit i is the highest of the five bits of q[i]
//	byte 6   q     16 bytes; in byte i the low four bits are those of q[i], the high four those of q[16+i]
//
// It is block_q5_0 of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q5_0 (ggml-quants.c).
var q5_0 = codec{
	name: "Q5_0", elems: 32, bytes: 22, kind: floatKind, ggml: 6,
	widen32: dequantizeQ50[float32],
	widen64: dequantizeQ50[float64],
}

func dequantizeQ50[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		d, h := half(src), binary.LittleEndian.Uint32(src[2:])
		low, high := dst[:16], dst[16:32]
		for i, q := range src[6:22] {
			low[i] = F(scaled(int8(q&15|byte(h>>i&1)<<4)-16, d))
			high[i] = F(scaled(int8(q>>4|byte(h>>(16+i)&1)<<4)-16, d))
		}
		dst, src = dst[32:], src[22:]
	}
}
