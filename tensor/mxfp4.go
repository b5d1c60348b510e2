package tensor

import "math"

// mxfp4 has blocks of 32 elements in 17 bytes; element i is the E2M1 number q[i] times 2^(e-127).
//
//	byte 0   e     the scale, E8M0
//	byte 1   q     16 bytes; in byte i the low four bits are q[i], the high four q[16+i]
//
// It is block_mxfp4 of llama.cpp (ggml-common.h). The exponents 253 to 255 make infinities of some or all elements.
var mxfp4 = codec{
	name: "MXFP4", elems: 32, bytes: 17, kind: floatKind, ggml: 39,
	widen32: dequantizeMXFP4[float32],
	widen64: dequantizeMXFP4[float64],
}

// e2m1Doubled are twice the values of the E2M1 numbers (kvalues_mxfp4). Both zeros are positive.
var e2m1Doubled = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// dequantizeMXFP4 decodes MXFP4 blocks.
func dequantizeMXFP4[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[17:] {
		var values [16]float32 // in float32 for float64 too, which would not overflow
		for c, v := range e2m1Doubled {
			values[c] = v * e8m0Half(src[0])
		}
		fourBits(dst[:32], src[1:17], 1, &values)
	}
}

// e8m0Half returns 2^(e-128).
func e8m0Half(e byte) float32 {
	if e < 2 {
		return math.Float32frombits(1 << (21 + e)) // subnormal
	}
	return math.Float32frombits(uint32(e-1) << 23)
}
