package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q4_K has d, dmin, 12 bytes of scales, and 128 bytes of codes.
var q4_k = blockType{name: "Q4K", elems: 256, bytes: 144, group: 1, scratch: 64, abreast: 4,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.kScales(p)
		var (
			look  func(nibbles) []VecVirtual
			codes [2]nibbles
		)
		return func(part int) []VecVirtual {
			n := &codes[part%2]
			if part%2 == 0 {
				scale, low := u.scaleAt(part/2*8, true)
				look = u.table(linear(0), scale, low)
			}
			if part%4 < 2 {
				*n = u.nibbles(Mem{Base: p, Disp: 16 + part/4*32 + part%2*16})
			} else {
				u.high(*n)
			}
			return look(*n)
		}
	}}

// A block of Q5_K has d, dmin, 12 bytes of scales, 32 bytes with the highest bits of codes, and 128 bytes with the others.
var q5_k = blockType{name: "Q5K", elems: 256, bytes: 176, group: 1, scratch: 64 + 256, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.kScales(p)
		if u.wide {
			return u.weightsQ5K(p)
		}
		high := u.load(Mem{Base: p, Disp: 16})
		for row := range 8 { // of 32 weights
			v, bit := u.load(Mem{Base: p, Disp: 48 + row/2*32}), YMM()
			if row%2 == 1 {
				VPSRLW(U8(4), v, v)
			}
			if row < 4 {
				VPSLLW(U8(4-row), high, bit)
			} else {
				VPSRLW(U8(row-4), high, bit)
			}
			u.pick(0x0f0f0f0f, bit, v)
			u.and(0x1f1f1f1f, v, v)
			u.move(v, u.scratch.Offset(64+32*row))
		}
		return func(part int) []VecVirtual {
			scale, low := u.scaleAt(part/2*8, true)
			return u.unsigned(u.scratch.Offset(64+16*part), scale, *low)
		}
	}}

// weightsQ5K joins the bits of two rows of 32 codes at a time, whose highest bits are two apart. AVX-512.
func (u *unpacker) weightsQ5K(p Register) weights {
	high := ZMM()
	VBROADCASTI64X4(Mem{Base: p, Disp: 16}, high)
	for pair := range 4 { // rows 0 and 2, 1 and 3, 4 and 6, 5 and 7
		row := pair/2*4 + pair%2
		v, bit := u.load(Mem{Base: p, Disp: 48 + pair/2*64}), ZMM()
		if pair%2 == 1 {
			VPSRLW(U8(4), v, v)
		}
		VPRORVD(u.constant(u.lanes(func(i int) uint32 { return uint32(row+i/8*2-4) & 31 }), bit), high, bit)
		u.pick(0x0f0f0f0f, bit, v)
		u.move(v, u.scratch.Offset(64+64*pair))
	}
	var look func(VecVirtual) []VecVirtual
	return func(part int) []VecVirtual {
		row := part / 2
		if part%2 == 0 {
			scale, low := u.scaleAt(row*8, true)
			look = u.table32(func(i int) float32 { return float32(i) }, scale, low)
		}
		codes := ZMM()
		VPMOVZXBD(u.scratch.Offset(64+row/4*128+row%2*64+row/2%2*32+part%2*16), codes)
		return look(codes)
	}
}
