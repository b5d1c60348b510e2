package tensor

import "encoding/binary"

// q8_0 has blocks of 32 elements in 34 bytes; element i is d*q[i], which float32 holds exactly.
//
//	byte 0   d     the scale, F16
//	byte 2   q     32 signed bytes
//
// It is block_q8_0 of llama.cpp (ggml-common.h).
var q8_0 = codec{
	name: "Q8_0", elems: q8Elems, bytes: q8Bytes, kind: floatKind, ggml: 8,
	largest: 65504 * 127, overflow: 65520 * 127, // the largest of a block becomes 127 steps of a float16
	widen32: dequantizeQ8[float32],
	widen64: dequantizeQ8[float64],
}

const (
	q8Elems = 32
	q8Bytes = 2 + q8Elems
)

// dequantizeQ8 decodes Q8_0 blocks.
func dequantizeQ8[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		d := F(F16ToF32(binary.LittleEndian.Uint16(src)))
		q, x := src[2:q8Bytes], dst[:q8Elems]
		for i := range x {
			x[i] = F(int8(q[i])) * d
		}
		dst, src = dst[q8Elems:], src[q8Bytes:]
	}
}
