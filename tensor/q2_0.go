package tensor

// q2_0 has blocks of 64 elements in 18 bytes; element i is d*(q[i]-1).
//
//	byte 0   d     the scale, F16
//	byte 2   q     16 bytes; bits 2(i%4) and 2(i%4)+1 of byte i/4 are q[i]
//
// It is block_q2_0 of llama.cpp (ggml-common.h).
var q2_0 = codec{
	name: "Q2_0", elems: 64, bytes: 18, kind: floatKind, ggml: 42,
	widen32: dequantizeQ2[float32],
	widen64: dequantizeQ2[float64],
}

// dequantizeQ2 decodes Q2_0 blocks.
func dequantizeQ2[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[64:], src[18:] {
		d := F(half(src))
		values := [4]F{-d, 0 * d, d, 2 * d}
		for k, b := range src[2:18] {
			x := dst[4*k:][:4]
			x[0], x[1], x[2], x[3] = values[b&3], values[b>>2&3], values[b>>4&3], values[b>>6]
		}
	}
}
