package tensor

import "math"

// nvfp4 has blocks of 64 elements in 36 bytes, four sub-blocks of 16; element i of sub-block s is the E2M1 number q[s][i] times
// the E4M3 number d[s].
//
//	byte 0   d     4 bytes: the scales, E4M3, whose sign is ignored
//	byte 4   q     4 times 8 bytes; in byte i the low four bits are q[s][i], the high four q[s][8+i]
//
// It is block_nvfp4 of llama.cpp (ggml-common.h). A scale of the whole tensor is one of its own, NAME.scale.
var nvfp4 = codec{
	name: "NVFP4", elems: 64, bytes: 36, kind: floatKind, ggml: 40,
	widen32: dequantizeNVFP4[float32],
	widen64: dequantizeNVFP4[float64],
}

// dequantizeNVFP4 decodes NVFP4 blocks.
func dequantizeNVFP4[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[64:], src[36:] {
		for s, d := range src[:4] {
			fourBits(dst[16*s:][:16], src[4+8*s:][:8], F(e4m3Half[d]), &e2m1Doubled)
		}
	}
}

// e4m3Half are half the values of the E4M3 numbers without their signs. ggml takes 0x7f, a NaN, for 0, and 0xff for 480.
var e4m3Half = func() (half [256]float32) {
	for b := range half {
		fraction, exponent := float64(b&7)/8, b>>3&15
		if exponent == 0 {
			exponent = 1
		} else {
			fraction++
		}
		half[b] = float32(math.Ldexp(fraction, exponent-8))
	}
	half[0x7f] = 0
	return half
}()
