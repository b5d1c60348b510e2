package tensor

import "encoding/binary"

// iq1_m has blocks of 256 elements in 56 bytes, 32 groups of eight; the elements of group k are d*(2*l[k/2]+1) times those of
// row q[k] of a table, of -1, 0 and 1, shifted by 1/8 or -1/8.
//
//	byte 0   q       32 bytes: the low eight bits of q[k]
//	byte 32  h       16 bytes; in byte k/2 the low four bits are those of an even k, the high four of an odd one: three bits,
//	                 the high ones of q[k], and whether the shift is negative
//	byte 48  scales  4 times 16 bits; from bit 3(j%4) of scales[j/4] three bits l[j], and in the highest four bits a quarter of
//	                 d, the scale, F16, the lowest first
//
// It is block_iq1_m of llama.cpp (ggml-common.h).
var iq1_m = codec{
	name: "IQ1_M", elems: blockK, bytes: 56, kind: floatKind, ggml: 29,
	widen32: dequantizeIQ1M[float32],
	widen64: dequantizeIQ1M[float64],
}

// dequantizeIQ1M decodes IQ1_M blocks.
func dequantizeIQ1M[F float32 | float64](dst []F, src []byte) {
	for ; len(dst) > 0; dst, src = dst[blockK:], src[56:] {
		scales := binary.LittleEndian.Uint64(src[48:])
		d := F(F16ToF32(uint16(scales>>12&0x000f | scales>>24&0x00f0 | scales>>36&0x0f00 | scales>>48&0xf000)))
		for k := range 32 {
			l := scales >> (16*(k/8) + 3*(k/2%4)) & 7
			shifted(dst[8*k:][:8], int(src[k])|int(nibble(src[32+k/2], k))<<8, d*F(2*l+1))
		}
	}
}
