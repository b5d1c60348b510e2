package tensor

import "encoding/binary"

// q4_0 has blocks of 32 elements in 18 bytes; element i is d*(q[i]-8), which float32 holds exactly.
//
//	byte 0   d     the scale, F16
//	byte 2   q     16 bytes; in byte i the low four bits are q[i], the high four q[16+i]
//
// It is block_q4_0 of llama.cpp (ggml-common.h).
var q4_0 = codec{
	name: "Q4_0", elems: 32, bytes: 18, kind: floatKind, ggml: 2,
	largest: 65504 * 8, overflow: 65520 * 8, // the largest of a block becomes 8 steps of a float16
	widen32: dequantizeQ4[float32],
	widen64: dequantizeQ4[float64],
}

// dequantizeQ4 decodes Q4_0 blocks.
func dequantizeQ4[F float32 | float64](dst []F, src []byte) {
	for len(dst) > 0 {
		d := F(F16ToF32(binary.LittleEndian.Uint16(src)))
		low, high := dst[:16], dst[16:32]
		for i, q := range src[2:18] {
			low[i] = F(int(q&15)-8) * d
			high[i] = F(int(q>>4)-8) * d
		}
		dst, src = dst[32:], src[18:]
	}
}
