package tensor

import (
	"encoding/binary"
	"math"
)

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
	narrow:  quantizeQ4,
}

// quantizeQ4 encodes src as Q4_0 blocks into dst.
//
// For each block, in float32: d = m / -8, m being the first element of the largest magnitude with its sign, rounded to F16
// only where it is stored, and q = x * (1/d) + 8.5 without its fraction, 15 at most; 8 when d is 0. That is
// quantize_row_q4_0_ref of llama.cpp (ggml-quants.c), bit for bit. A NaN makes the whole block NaN, and q is 8 where
// x * (1/d) is not finite, which C leaves open.
func quantizeQ4(dst []byte, src []float32) {
	for len(src) > 0 {
		x, block := src[:32], dst[:18]
		largest, amax := float32(0), uint32(0) // magnitudes are ordered as their bits are, NaN above all
		for _, v := range x {
			if a := math.Float32bits(v) &^ (1 << 31); a > amax {
				largest, amax = v, a
			}
		}
		d := largest / -8
		id := float32(0)
		if d != 0 {
			id = 1 / d
		}
		binary.LittleEndian.PutUint16(block, F32ToF16(d))
		for i, v := range x[:16] {
			block[2+i] = roundQ4(float32(v*id)) | roundQ4(float32(x[16+i]*id))<<4
		}
		src, dst = src[32:], dst[18:]
	}
}

// roundQ4 rounds to the nearest of -8 to 7, halves up, and adds 8; what is far from them becomes 8.
func roundQ4(x float32) byte {
	if x > -9 && x < 9 {
		return byte(min(x+8.5, 15))
	}
	return 8
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
