package tensor

// tq1_0 has blocks of 256 elements in 54 bytes; element i is d*(t[i]-1), t[i] being 0, 1 or 2, five of them in a byte.
//
//	byte 0   q     48 bytes: the first 32 hold t[0] to t[159], 32 of them for each digit, the others t[160] to t[239], 16 for
//	               each
//	byte 48  qh    4 bytes: t[240] to t[255], 4 for each digit
//	byte 52  d     the scale, F16
//
// A byte is a fraction of 256 in base 3: multiplied by 3, it gives its first digit as what is carried out of the byte, and
// the others as what stays in it.
//
// It is block_tq1_0 of llama.cpp (ggml-common.h).
var tq1_0 = codec{
	name: "TQ1_0", elems: blockK, bytes: 54, kind: floatKind, ggml: 34,
	widen32: dequantizeTQ1[float32],
	widen64: dequantizeTQ1[float64],
}

// dequantizeTQ1 decodes TQ1_0 blocks.
func dequantizeTQ1[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[54:] {
		d := F(half(src[52:]))
		values := [3]F{-d, 0 * d, d}
		digits(dst[:160], src[:32], &values)
		digits(dst[160:240], src[32:48], &values)
		digits(dst[240:blockK], src[48:52], &values)
	}
}

// digits sets x to the values of the digits of q, the first of every byte first.
func digits[F float32 | float64](x []F, q []byte, values *[3]F) {
	for power := uint16(1); len(x) > 0; power *= 3 {
		for i, b := range q {
			x[i] = values[uint16(byte(uint16(b)*power))*3>>8]
		}
		x = x[len(q):]
	}
}
