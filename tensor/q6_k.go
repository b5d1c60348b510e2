package tensor

// q6_k has blocks of 256 elements in 210 bytes, with a scale for each 16 of them. An element of those that t counts is
// d*scale[t]*(q-32), which float32 holds exactly.
//
//	byte 0    low     128 bytes; in byte 64h+32k+l the low four bits are those of element 128h+32k+l, the high four those of
//	                  element 128h+64+32k+l
//	byte 128  high    64 bytes; bits 2j and 2j+1 of byte 32h+l are the upper two of the six bits of element 128h+32j+l
//	byte 192  scale   16 signed bytes
//	byte 208  d       the scale of the scales, F16
//
// It is block_q6_K of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q6_K (ggml-quants.c).
var q6_k = codec{
	name: "Q6_K", elems: blockK, bytes: 210, kind: floatKind, ggml: 14,
	widen32: dequantizeQ6K[float32],
	widen64: dequantizeQ6K[float64],
}

func dequantizeQ6K[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		block, out := (*[210]byte)(src), (*[blockK]F)(dst)
		d := half(block[208:])
		for t, s := range block[192:208] {
			dl := scaled(int8(s), d)
			h, j, from := t/8, t/2%4, t%2*16
			low, high := (*[16]byte)(block[64*h+32*(j%2)+from:]), (*[16]byte)(block[128+32*h+from:])
			nibble, pair := j/2*4, 2*j
			x := (*[16]F)(out[16*t:])
			for i := range x {
				x[i] = F(scaled(int8(low[i]>>nibble&15|high[i]>>pair&3<<4)-32, dl))
			}
		}
		dst, src = dst[blockK:], src[210:]
	}
}
