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
	// Six bits to a byte, less 32, in general registers, which need none of the ports of vector registers.
	scales, upper, mask := GP64(), GP64(), GP64()
	MOVL(Mem{Base: p, Disp: 4}, scales.As32())
	MOVQ(U64(0x0f0f0f0f0f0f0f0f), mask)
	PDEPQ(mask, scales, scales)
	MOVWQZX(Mem{Base: p, Disp: 2}, upper)
	MOVQ(U64(0x3030303030303030), mask)
	PDEPQ(mask, upper, upper)
	ORQ(upper, scales)
	MOVQ(U64(0x6060606060606060), mask)
	ADDQ(mask, scales)
	MOVQ(U64(0x8080808080808080), mask)
	XORQ(mask, scales)
	codes, d := u.scratch.Offset(48), u.scratch.Offset(32)
	MOVQ(scales, codes)
	v, unit := YMM(), XMM()
	VCVTPH2PS(Mem{Base: p}, unit)
	VMOVUPS(unit, d)
	VPMOVSXBD(codes, v)
	VCVTDQ2PS(v, v)
	VMULPS_BCST(d, v, v)
	VMOVUPS(v, u.scratch)
	u.storeNibbles(Mem{Base: p, Disp: 8}, 64)
	u.storeNibbles(Mem{Base: p, Disp: 72}, 64+128)
	var look func(nibbles) []VecVirtual
	nibbles := u.sixteenths()
	return func(part int) []VecVirtual {
		if part%2 == 0 {
			look = u.table(iq4Levels, u.scratch.Offset(part/2*4), nil)
		}
		return look(nibbles(64+part/8*128, part/2%4, part%2))
	}
}

// half8 returns eight lanes of the float16 at m.
func (u *unpacker) half8(m Mem) VecVirtual {
	d := YMM()
	VPBROADCASTW(m, d.AsX())
	VCVTPH2PS(d.AsX(), d)
	return d
}
