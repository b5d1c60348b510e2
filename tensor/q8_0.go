package tensor

import (
	"encoding/binary"
	"math"
)

// A Q8_0 block is 32 elements in 34 bytes: the scale d as F16, then 32 signed bytes q; an element is d*q.
const (
	q8Elems = 32
	q8Bytes = 2 + q8Elems
)

// QuantizeQ8_0 encodes src as Q8_0 blocks into dst: 34 bytes for each 32 elements. It panics on other lengths.
//
// For each block, in float32: d = max|x| / 127, rounded to F16 only where it is stored, and q = round(x * (1/d)) with
// halves away from zero, 0 when d is 0. That is quantize_row_q8_0_ref of llama.cpp (ggml-quants.c), bit for bit.
// Not every block has a good answer: above 65504*127 the scale is infinite; a NaN makes the whole block NaN, as in
// gguf-py, where llama.cpp may drop it; q is 0 where x * (1/d) is no number or no int8, which C leaves open.
func QuantizeQ8_0(dst []byte, src []float32) {
	checkConvert("QuantizeQ8_0", len(src), Q8_0, len(dst))
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

// roundQ8 rounds to the nearest integer, halves away from zero; what is no int8 becomes 0.
func roundQ8(x float32) int8 {
	y := float64(x)            // has the room to add 0.5 without rounding up to it
	y += math.Copysign(0.5, y) // then drop the fraction
	if y > -129 && y < 128 {
		return int8(int32(y))
	}
	return 0
}

// dequantizeQ8 decodes Q8_0 blocks: each element is the product d*q, which float32 holds exactly.
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
