package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// iq4Levels are iq4Values of package tensor.
var iq4Levels = levels{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

var iq4_nl = blockType{name: "IQ4NL", elems: 32, bytes: 18, group: groupOf32, scratch: 64, abreast: 4,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		u.halves(p, every(18, blocks)...)
		return u.halfByHalf(p, 18, 2, iq4Levels, 4, false)
	}}

// A block of IQ4_XS has d, 16 bits with the upper two of eight scales, 32 with the lower four, and 16 bytes of codes for each.
var iq4_xs = blockType{name: "IQ4XS", elems: 256, bytes: 136, group: 1, scratch: 64, early: 64 + 256, abreast: 4,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			return u.weightsIQ4XS(p)
		}
		low, high := YMM(), YMM()
		VPBROADCASTD(Mem{Base: p, Disp: 4}, low)
		VPSRLVD(u.lanes(func(i int) uint32 { return uint32(4*i) & 31 }), low, low)
		VPAND(u.word(15), low, low)
		VPBROADCASTD(Mem{Base: p, Disp: 2}, high)
		VPSRLVD(u.lanes(func(i int) uint32 { return uint32(2*i) & 31 }), high, high)
		VPAND(u.word(3), high, high)
		VPSLLD(U8(4), high, high)
		VPOR(high, low, low)
		VPSUBD(u.word(32), low, low)
		VCVTDQ2PS(low, low)
		VMULPS(u.half8(Mem{Base: p}), low, low)
		VMOVUPS(low, u.scratch)
		return u.halfByHalf(p, 16, 8, iq4Levels, 4, false)
	}}

// weightsIQ4XS is what AVX-512 does.
func (u *unpacker) weightsIQ4XS(p Register) weights {
	low, high, d := YMM(), YMM(), YMM()
	VPBROADCASTD(Mem{Base: p, Disp: 4}, low)
	VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(4*i) & 31 }), low), low, low)
	VPBROADCASTD(Mem{Base: p, Disp: 2}, high)
	VPRORVD(u.constant(u.lanes(func(i int) uint32 { return uint32(2*i-4) & 31 }), high), high, high)
	u.pick(15, high, low)
	u.and(0x3f, low, low)
	VPSUBD(u.constant(u.word(32), low), low, low)
	VCVTDQ2PS(low, low)
	VCVTPH2PS(Mem{Base: p}, d.AsX())
	VBROADCASTSS(d.AsX(), d)
	VMULPS(d, low, low)
	VMOVUPS(low, u.scratch)
	u.storeNibbles(Mem{Base: p, Disp: 8}, 64)
	u.storeNibbles(Mem{Base: p, Disp: 72}, 64+128)
	var look func(nibbles) []VecVirtual
	return func(part int) []VecVirtual {
		if part%2 == 0 {
			look = u.table(iq4Levels, u.scratch.Offset(part/2*4), nil)
		}
		return look(u.nibblesAt(64+part/8*128, part/2%4, part%2))
	}
}

// half8 returns eight lanes of the float16 at m.
func (u *unpacker) half8(m Mem) VecVirtual {
	d := YMM()
	VPBROADCASTW(m, d.AsX())
	VCVTPH2PS(d.AsX(), d)
	return d
}
