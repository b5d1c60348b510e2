package tensor

// q3_k has blocks of 256 elements in 110 bytes, with a scale for each 16 of them. An element of those that t counts is
// d*(scale[t]-32)*(q-4), which float32 holds exactly.
//
//	byte 0    h       32 bytes; bit 4h+j of byte l is the highest of the three bits of q of element 128h+32j+l
//	byte 32   q       64 bytes; bits 2j and 2j+1 of byte 32h+l are the others
//	byte 96   scales  12 bytes; the low four bits of scale[t] are in byte t%8, the low half for t < 8 and the high half from
//	                  there on; the other two are bits 2(t/4) and 2(t/4)+1 of byte 8+t%4
//	byte 108  d       the scale of the scales, F16
//
// It is block_q3_K of llama.cpp (ggml-common.h), and the values are those of dequantize_row_q3_K (ggml-quants.c).
var q3_k = codec{
	name: "Q3_K", elems: blockK, bytes: 110, kind: floatKind, ggml: 11,
	widen32: dequantizeQ3K[float32],
	widen64: dequantizeQ3K[float64],
}

func dequantizeQ3K[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		block, out := (*[110]byte)(src), (*[blockK]F)(dst)
		d := half(block[108:])
		for t := range blockK / 16 {
			scale := block[96+t%8]>>(t/8*4)&15 | block[104+t%4]>>(t/4*2)&3<<4
			dl := scaled(int8(scale)-32, d)
			var values [8]F
			for q := range values {
				values[q] = F(scaled(int8(q)-4, dl))
			}
			q, shift := (*[16]byte)(block[32+t/8*32+t%2*16:]), t/2%4*2
			h, bit := (*[16]byte)(block[t%2*16:]), t/2
			x := (*[16]F)(out[16*t:])
			for i := range x {
				x[i] = values[q[i]>>shift&3|h[i]>>bit&1<<2]
			}
		}
		dst, src = dst[blockK:], src[110:]
	}
}
