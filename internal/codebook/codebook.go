// Package codebook has the tables of vectors that the IQ types of ggml choose from (ggml-common.h: iq2xxs_grid and its
// like). A block of such a type stores the number of a row for every eight or four weights.
package codebook

import (
	_ "embed"
	"iter"
	"math/bits"
)

// bitmaps are the tables, one after the other in the order of Tables. No rule is known that makes them, but each
// is a sorted set: the vectors of n digits in base b have the numbers 0 to bⁿ-1, element 0 being the least significant digit,
// and bit i of the bitmap, the lowest of byte 0 first, says whether vector i is a row. A bitmap ends with its last whole byte.
//
//go:embed bitmaps.bin
var bitmaps []byte

// Tables are the tables, rows in the order of their numbers. Assembly of package kernel has one
// pointer to them and knows where each begins. The elements of IQ2 and IQ3 are magnitudes.
//
// IQ1 has 8g+1 for the elements g of a row of iq1s_grid, -1 to 1, in its first half, and 8g-1 in the second: eight times what
// a block of that type means by them with either of its shifts, 1/8 and -1/8. IQ1_M has the same table as IQ1_S.
//
// Row i of Signs has the sign bits of eight float32, of which element j is negative if bit j of i is set.
//
// Above is IQ1 with 64 added to each element.
var Tables struct {
	IQ2XXS [256][8]float32
	IQ2XS  [512][8]float32
	IQ2S   [1024][8]float32
	IQ1    [2 * 2048][8]int8
	IQ3XXS [256][4]float32
	IQ3S   [512][4]float32
	Signs  [256][8]uint32
	Above  [2 * 2048][8]uint8
}

// Planes are tables in which 64 rows can be found at a time, byte r of a plane being a part of row r: elements 2i and 2i+1 of IQ3 in
// plane i, four bits each, and elements 4i to 4i+3 of IQ2, two bits each, the first lowest. For an element stands how many of the
// values of its table are less. Memory of this size begins with a line of the cache.
var Planes = new(struct {
	IQ3XXS [2][256]uint8
	IQ3S   [2][512]uint8
	IQ2XXS [2][256]uint8
})

// The same by their own names.
var (
	IQ2XXS, IQ2XS, IQ2S = &Tables.IQ2XXS, &Tables.IQ2XS, &Tables.IQ2S
	IQ1                 = &Tables.IQ1
	IQ3XXS, IQ3S        = &Tables.IQ3XXS, &Tables.IQ3S
)

func init() {
	t, left := &Tables, bitmaps
	eights := func(rows [][8]float32) {
		for row, vector := range next(&left, 3*3*3*3*3*3*3*3) {
			for i := range rows[row] {
				rows[row][i] = [...]float32{8, 25, 43}[vector%3]
				vector /= 3
			}
		}
	}
	fours := func(rows [][4]float32, first, second []uint8, values [8]float32) {
		for row, vector := range next(&left, 8*8*8*8) {
			first[row] = uint8(vector%8 | vector/8%8<<4)
			second[row] = uint8(vector/64%8 | vector/512<<4)
			for i := range rows[row] {
				rows[row][i] = values[vector%8]
				vector /= 8
			}
		}
	}
	eights(t.IQ2XXS[:])
	for row, vector := range t.IQ2XXS {
		for i, v := range vector {
			Planes.IQ2XXS[i/4][row] |= uint8(v/17) << (2 * (i % 4)) // 8, 25 and 43
		}
	}
	eights(t.IQ2XS[:])
	eights(t.IQ2S[:])
	first, second := t.IQ1[:len(t.IQ1)/2], t.IQ1[len(t.IQ1)/2:]
	for row, vector := range next(&left, 3*3*3*3*3*3*3*3) {
		for i := range first[row] {
			v := int8(vector%3)*8 - 8
			first[row][i], second[row][i] = v+1, v-1
			t.Above[row][i], t.Above[len(first)+row][i] = uint8(64+v+1), uint8(64+v-1)
			vector /= 3
		}
	}
	fours(t.IQ3XXS[:], Planes.IQ3XXS[0][:], Planes.IQ3XXS[1][:], [...]float32{4, 12, 20, 28, 36, 44, 52, 62})
	fours(t.IQ3S[:], Planes.IQ3S[0][:], Planes.IQ3S[1][:], [...]float32{1, 3, 5, 7, 9, 11, 13, 15})
	for signs := range t.Signs {
		for i := range t.Signs[signs] {
			t.Signs[signs][i] = uint32(signs) >> i << 31
		}
	}
}

// next yields the rows of the bitmap that left begins with, counted, and their numbers among so many vectors. It takes the
// bitmap from left.
func next(left *[]byte, vectors int) iter.Seq2[int, uint] {
	size := (vectors + 7) / 8
	bitmap := (*left)[:size]
	*left = (*left)[size:]
	return func(yield func(int, uint) bool) {
		row := 0
		for i, b := range bitmap {
			for ; b != 0; b &= b - 1 {
				if !yield(row, uint(8*i+bits.TrailingZeros8(b))) {
					return
				}
				row++
			}
		}
	}
}

// Signs returns the signs of eight weights for the seven bits that IQ2_XXS, IQ2_XS and IQ3_XXS store: bit i is set if weight i
// is negative. The eighth makes their number even.
func Signs(stored byte) byte {
	return stored&127 | byte(bits.OnesCount8(stored&127)&1)<<7
}
