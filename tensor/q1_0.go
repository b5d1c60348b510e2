package tensor

// q1_0 has blocks of 128 elements in 18 bytes; element i is d if bit i is set, -d if not.
//
//	byte 0   d     the scale, F16
//	byte 2         16 bytes; bit i of the block is bit i%8 of byte i/8
//
// It is block_q1_0 of llama.cpp (ggml-common.h).
var q1_0 = codec{
	name: "Q1_0", elems: 128, bytes: 18, kind: floatKind, ggml: 41,
	widen32: dequantizeQ1[float32],
	widen64: dequantizeQ1[float64],
}

// dequantizeQ1 decodes Q1_0 blocks.
func dequantizeQ1[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[128:], src[18:] {
		d := F(half(src))
		values := [2]F{-d, d}
		for k, b := range src[2:18] {
			for j := range dst[8*k:][:8] {
				dst[8*k+j] = values[b>>j&1]
			}
		}
	}
}
