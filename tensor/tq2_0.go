package tensor

// tq2_0 has blocks of 256 elements in 66 bytes, two halves of 128; element i of half h is d*(q[h][i]-1).
//
//	byte 0   q     2 times 32 bytes; bits 2j and 2j+1 of byte i are q[h][32j+i]
//	byte 64  d     the scale, F16
//
// It is block_tq2_0 of llama.cpp (ggml-common.h). Its quantizer writes no 3, which would be 2d.
var tq2_0 = codec{
	name: "TQ2_0", elems: blockK, bytes: 66, kind: floatKind, ggml: 35,
	widen32: dequantizeTQ2[float32],
	widen64: dequantizeTQ2[float64],
}

// dequantizeTQ2 decodes TQ2_0 blocks.
func dequantizeTQ2[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[66:] {
		d := F(half(src[64:]))
		values := [4]F{-d, 0 * d, d, 2 * d}
		for part := range 8 {
			x, shift := dst[32*part:][:32], 2*(part%4)
			for i, q := range src[32*(part/4):][:32] {
				x[i] = values[q>>shift&3]
			}
		}
	}
}
