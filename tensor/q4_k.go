package tensor

// q4_k has blocks of 256 elements in 144 bytes, with a scale and a minimum for each 32 of them. An element of those that s
// counts is d*scale[s]*q - dmin*min[s], rounded to float32 once.
//
//	byte 0   d       the scale of the scales, F16
//	byte 2   dmin    the scale of the minima, F16
//	byte 4   scales  12 bytes with six bits of each scale and minimum, see scaleMinK
//	byte 16  q       128 bytes; in byte 32r+l the low four bits are q of element 64r+l, the high four of element 64r+32+l
//
// It is block_q4_K of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q4_K (ggml-quants.c).
var q4_k = codec{
	name: "Q4_K", elems: blockK, bytes: 144, kind: floatKind, ggml: 12,
	widen32: dequantizeQ4K[float32],
	widen64: dequantizeQ4K[float64],
}

// blockK is how many elements the blocks have that ggml calls K.
const blockK = 256

func dequantizeQ4K[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		block, out := (*[144]byte)(src), (*[blockK]F)(dst)
		d, dmin, scales := half(block[:]), half(block[2:]), (*[12]byte)(block[4:])
		for r := range 4 {
			s0, m0 := scaleMinK(scales, 2*r)
			s1, m1 := scaleMinK(scales, 2*r+1)
			d0, min0, d1, min1 := scaled(s0, d), scaled(m0, dmin), scaled(s1, d), scaled(m1, dmin)
			x, q := (*[64]F)(out[64*r:]), (*[32]byte)(block[16+32*r:])
			for i, q := range q {
				x[i] = F(scaled(q&15, d0) - min0)
				x[32+i] = F(scaled(q>>4, d1) - min1)
			}
		}
		dst, src = dst[blockK:], src[144:]
	}
}

// scaleMinK returns the scale and the minimum of 32 elements in Q4_K and Q5_K, those that s counts. For s < 4 they are the low
// six bits of bytes s and s+4. For the others, byte s+4 has the low four bits of both and bytes s-4 and s their upper two.
func scaleMinK(b *[12]byte, s int) (scale, low byte) {
	if s < 4 {
		return b[s] & 63, b[s+4] & 63
	}
	return b[s+4]&15 | b[s-4]>>6<<4, b[s+4]>>4 | b[s]>>6<<4
}
