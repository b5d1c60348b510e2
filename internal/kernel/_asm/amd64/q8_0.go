package main

import (
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q8_0: a float16 scale and 32 signed bytes.
const (
	q8Elems = 32
	q8Bytes = 2 + q8Elems
)

var q8_0 = blockType{name: "Q8", elems: q8Elems, bytes: q8Bytes, group: groupOf32, scratch: 64, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		u.halves(p, every(q8Bytes, blocks)...)
		return func(part int) []VecVirtual {
			codes := Mem{Base: p, Disp: part/2*q8Bytes + 2 + part%2*16}
			return u.signed(codes, u.scratch.Offset(part/2*4))
		}
	}}
