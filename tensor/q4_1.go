package tensor

// q4_1 has blocks of 32 elements in 20 bytes; element i is d*q[i] + m, rounded to float32 once.
//
//	byte 0   d     the scale, F16
//	byte 2   m     what a q of 0 stands for, F16
//	byte 4   q     16 bytes; in byte i the low four bits are q[i], the high four q[16+i]
//
// It is block_q4_1 of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q4_1 (ggml-quants.c).
var q4_1 = codec{
	name: "Q4_1", elems: 32, bytes: 20, kind: floatKind, ggml: 3,
	widen32: dequantizeQ41[float32],
	widen64: dequantizeQ41[float64],
}

func dequantizeQ41[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		d, m := half(src), half(src[2:])
		low, high := dst[:16], dst[16:32]
		for i, q := range src[4:20] {
			low[i] = F(scaled(q&15, d) + m)
			high[i] = F(scaled(q>>4, d) + m)
		}
		dst, src = dst[32:], src[20:]
	}
}
