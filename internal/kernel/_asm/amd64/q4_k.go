package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q4_K has d, dmin, 12 bytes of scales, and 128 bytes of codes.
var q4_k = blockType{name: "Q4K", elems: 256, bytes: 144, group: 1, scratch: 64, early: 64 + 256 + 64, abreast: 4, settles: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			u.kScalesEarly(p, 64+256)
			u.storeNibbles(Mem{Base: p, Disp: 16}, 64)
			u.storeNibbles(Mem{Base: p, Disp: 80}, 64+128)
			var look func(nibbles) []VecVirtual
			codes := u.sixteenths()
			return func(part int) []VecVirtual {
				if part%2 == 0 {
					scale, low := u.scaleAt(part/2*8, true)
					look = u.table(linear(0), scale, low)
				}
				return look(codes(64+part/8*128, part/4%2*2+part%2, part/2%2))
			}
		}
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
var q5_k = blockType{name: "Q5K", elems: 256, bytes: 176, group: 1, scratch: 64 + 256, early: 64 + 256 + 64, abreast: 4, settles: true, inScratch: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			return u.weightsQ5K(p)
		}
		u.kScales(p)
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
	u.kScalesEarly(p, 64+256)
	high, codes := ZMM(), VecVirtual(nil)
	VBROADCASTI64X4(Mem{Base: p, Disp: 16}, high)
	u.mix(high, high)
	for pair := range 4 { // rows 0 and 2, 1 and 3, 4 and 6, 5 and 7
		v, bit := ZMM(), ZMM()
		if pair%2 == 0 {
			codes = v
			u.mix(Mem{Base: p, Disp: 48 + pair/2*64}, v)
		} else {
			VPSRLW(U8(4), codes, v)
		}
		if shift := []int{4, 3, 0, -1}[pair]; shift > 0 {
			VPSLLVW(u.constant(u.word(uint32(shift-2)<<16|uint32(shift)), high), high, bit)
		} else {
			VPSRLVW(u.constant(u.word(uint32(2-shift)<<16|uint32(-shift)), high), high, bit)
		}
		u.pick(0xf0f0f0f0, v, bit)
		u.move(bit, u.scratch.Offset(64+64*pair))
	}
	var scale, low VecVirtual
	return func(part int) []VecVirtual {
		row := part / 2
		if part%2 == 0 {
			scale, low = ZMM(), ZMM()
			VBROADCASTSS(u.scratch.Offset(8*row), scale)
			VBROADCASTSS(u.scratch.Offset(8*row+4), low)
		}
		v := u.load(u.scratch.Offset(64 + row/4*128 + row%2*64 + row/2%2*2 + part%2))
		u.thirtyTwo(func(i int) float32 { return float32(i) }, v)
		u.multiplyLess(low, scale, v)
		return []VecVirtual{v}
	}
}
