package tensor

import (
	"encoding/binary"
	"math"
)

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
	narrow:  quantizeQ8,
}

const (
	q8Elems = 32
	q8Bytes = 2 + q8Elems
)

// quantizeQ8 encodes src as Q8_0 blocks into dst.
//
// For each block, in float32: d = max|x| / 127, rounded to F16 only where it is stored, and q = round(x * (1/d)) with
// halves away from zero, 0 when d is 0. That is quantize_row_q8_0_ref of llama.cpp (ggml-quants.c), bit for bit.
// Not every block has a good answer: above 65504*127 the scale is infinite; a NaN makes the whole block NaN, as in
// gguf-py, where llama.cpp may drop it; q is 0 where x * (1/d) is not a number or not an int8, which C leaves open.
func quantizeQ8(dst []byte, src []float32) {
	for len(src) > 0 {
		x, block := src[:q8Elems], dst[:q8Bytes]
		amax := uint32(0) // magnitudes are ordered as their bits are, NaN above all
		for _, v := range x {
			amax = max(amax, math.Float32bits(v)&^(1<<31))
		}
		d := math.Float32frombits(amax) / 127
		id := float32(0)
		if d != 0 {
			id = 1 / d
		}
		binary.LittleEndian.PutUint16(block, F32ToF16(d))
		for i, v := range x {
			block[2+i] = byte(roundQ8(v * id))
		}
		src, dst = src[q8Elems:], dst[q8Bytes:]
	}
}

// roundQ8 rounds to the nearest integer, halves away from zero; what is not an int8 becomes 0.
func roundQ8(x float32) int8 {
	y := float64(x)            // has the room to add 0.5 without rounding up to it
	y += math.Copysign(0.5, y) // then drop the fraction
	if y > -129 && y < 128 {
		return int8(int32(y))
	}
	return 0
}

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
