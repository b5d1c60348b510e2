package tensor

// q5_k has blocks of 256 elements in 176 bytes, with a scale and a minimum for each 32 of them. An element of those that s
// counts is d*scale[s]*q - dmin*min[s], rounded to float32 once.
//
//	byte 0   d       the scale of the scales, F16
//	byte 2   dmin    the scale of the minima, F16
//	byte 4   scales  12 bytes with six bits of each scale and minimum, see scaleMinK
//	byte 16  h       32 bytes; bit s of byte l is the highest of the five bits of q of element 32s+l
//	byte 48  q       128 bytes; in byte 32r+l the low four bits are those of element 64r+l, the high four of element 64r+32+l
//
// It is block_q5_K of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q5_K (ggml-quants.c).
var q5_k = codec{
	name: "Q5_K", elems: blockK, bytes: 176, kind: floatKind, ggml: 13,
	widen32: dequantizeQ5K[float32],
	widen64: dequantizeQ5K[float64],
}

func dequantizeQ5K[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		block, out := (*[176]byte)(src), (*[blockK]F)(dst)
		d, dmin, scales := half(block[:]), half(block[2:]), (*[12]byte)(block[4:])
		h := (*[32]byte)(block[16:])
		for r := range 4 {
			s0, m0 := scaleMinK(scales, 2*r)
			s1, m1 := scaleMinK(scales, 2*r+1)
			d0, min0, d1, min1 := scaled(s0, d), scaled(m0, dmin), scaled(s1, d), scaled(m1, dmin)
			x, q := (*[64]F)(out[64*r:]), (*[32]byte)(block[48+32*r:])
			for i, q := range q {
				bits := h[i] >> (2 * r)
				x[i] = F(scaled(q&15|bits&1<<4, d0) - min0)
				x[32+i] = F(scaled(q>>4|bits&2<<3, d1) - min1)
			}
		}
		dst, src = dst[blockK:], src[176:]
	}
}
