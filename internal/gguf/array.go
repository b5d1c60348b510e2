package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Ints returns a copy of an array of integers of any width.
func (v Value) Ints() ([]int64, error) {
	if v.kind != KindArray || !v.elem.signed() && !v.elem.unsigned() {
		return nil, v.not(wantInts)
	}
	size := kinds[v.elem].size
	ints := make([]int64, v.n)
	for i := range ints {
		u := load(v.elem, v.data[i*size:])
		if v.elem == KindU64 && u > math.MaxInt64 {
			return nil, fmt.Errorf("element %d is %d, expected at most %d", i, u, int64(math.MaxInt64))
		}
		ints[i] = int64(u)
	}
	return ints, nil
}

// Floats returns a copy of an array of f32 or f64; an f32 is widened exactly.
func (v Value) Floats() ([]float64, error) {
	if v.kind != KindArray || !v.elem.float() {
		return nil, v.not(wantFloats)
	}
	size := kinds[v.elem].size
	floats := make([]float64, v.n)
	for i := range floats {
		floats[i] = loadFloat(v.elem, v.data[i*size:])
	}
	return floats, nil
}

// Bools returns a copy of an array of bools.
func (v Value) Bools() ([]bool, error) {
	if v.kind != KindArray || v.elem != KindBool {
		return nil, v.not(wantBools)
	}
	bools := make([]bool, v.n)
	for i := range bools {
		bools[i] = v.data[i] != 0
	}
	return bools, nil
}

// Strings returns a copy of an array of strings, all in one piece of memory. As for Str, they need not be UTF-8.
func (v Value) Strings() ([]string, error) {
	if v.kind != KindArray || v.elem != KindString {
		return nil, v.not(wantStrings)
	}
	all := string(v.data)
	strings := make([]string, v.n)
	for i, pos := 0, 0; i < v.n; i++ {
		begin := pos + 8
		pos = begin + int(binary.LittleEndian.Uint64(v.data[pos:])) // within data: checked when it was read, or made here
		strings[i] = all[begin:pos]
	}
	return strings, nil
}
