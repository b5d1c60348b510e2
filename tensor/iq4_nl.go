package tensor

// iq4_nl has blocks of 32 elements in 18 bytes; element i is d*iq4Values[q[i]].
//
//	byte 0   d     the scale, F16
//	byte 2   q     16 bytes; in byte i the low four bits are q[i], the high four q[16+i]
//
// It is block_iq4_nl of llama.cpp (ggml-common.h).
var iq4_nl = codec{
	name: "IQ4_NL", elems: 32, bytes: 18, kind: floatKind, ggml: 20,
	widen32: dequantizeIQ4NL[float32],
	widen64: dequantizeIQ4NL[float64],
}

// iq4Values are the steps of a scale that four bits mean: closer together around 0, where most weights are (kvalues_iq4nl).
var iq4Values = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// dequantizeIQ4NL decodes IQ4_NL blocks.
func dequantizeIQ4NL[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		fourBits(dst[:32], src[2:18], F(half(src)), &iq4Values)
		dst, src = dst[32:], src[18:]
	}
}

// fourBits sets x to d times the values of the codes in q, whose low four bits are the first half of x.
func fourBits[F float32 | float64](x []F, q []byte, d F, values *[16]float32) {
	low, high := x[:len(q)], x[len(q):2*len(q)]
	for i, c := range q {
		low[i] = F(values[c&15]) * d
		high[i] = F(values[c>>4]) * d
	}
}
