package tensor

// q2_k has blocks of 256 elements in 84 bytes, with a scale and a minimum for each 16 of them. An element of those that t
// counts is d*scale[t]*q - dmin*min[t], rounded to float32 once.
//
//	byte 0   scales  16 bytes; in byte t the low four bits are scale[t], the high four min[t]
//	byte 16  q       64 bytes; bits 2j and 2j+1 of byte 32h+l are q of element 128h+32j+l
//	byte 80  d       the scale of the scales, F16
//	byte 82  dmin    the scale of the minima, F16
//
// It is block_q2_K of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q2_K (ggml-quants.c).
var q2_k = codec{
	name: "Q2_K", elems: blockK, bytes: 84, kind: floatKind, ggml: 10,
	widen32: dequantizeQ2K[float32],
	widen64: dequantizeQ2K[float64],
}

func dequantizeQ2K[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		block, out := (*[84]byte)(src), (*[blockK]F)(dst)
		d, dmin := half(block[80:]), half(block[82:])
		for t, s := range block[:16] {
			scale, low := scaled(s&15, d), scaled(s>>4, dmin)
			var values [4]F
			for q := range values {
				values[q] = F(scaled(byte(q), scale) - low)
			}
			q, shift := (*[16]byte)(block[16+t/8*32+t%2*16:]), t/2%4*2
			x := (*[16]F)(out[16*t:])
			for i := range x {
				x[i] = values[q[i]>>shift&3]
			}
		}
		dst, src = dst[blockK:], src[84:]
	}
}
