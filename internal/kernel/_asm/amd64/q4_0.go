package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Blocks of 32 weights are taken four at a time, so that their scales are converted together.
const groupOf32 = 4

var q4_0 = blockType{name: "Q4", elems: 32, bytes: 18, group: groupOf32, scratch: 64, abreast: 4,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		u.halves(p, every(18, blocks)...)
		return u.halfByHalf(p, 18, 2, linear(-8), 4, false)
	}}

var q4_1 = blockType{name: "Q41", elems: 32, bytes: 20, group: groupOf32, scratch: 64, abreast: 4,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		u.halfPairs(p, every(20, blocks)...)
		return u.halfByHalf(p, 20, 4, linear(0), 8, true)
	}}

// every returns n offsets that are step apart.
func every(step, n int) (offsets []int) {
	for i := range n {
		offsets = append(offsets, i*step)
	}
	return offsets
}

// halfByHalf returns the weights of blocks of 32 whose codes are four bits in 16 bytes, first the low halves, then the high.
// The scales are in scratch, stride bytes apart, each followed by a minimum if there are minima.
func (u *unpacker) halfByHalf(p Register, bytes, codes int, l levels, stride int, minima bool) weights {
	var (
		look func(nibbles) []VecVirtual
		n    nibbles
	)
	return func(part int) []VecVirtual {
		if part%2 == 1 {
			u.high(n)
			return look(n)
		}
		scale, low := u.scaleAt(part/2*stride, minima)
		look, n = u.table(l, scale, low), u.nibbles(Mem{Base: p, Disp: part/2*bytes + codes})
		return look(n)
	}
}

// scaleAt returns where a scale is in scratch, and the minimum behind it, if there is one.
func (u *unpacker) scaleAt(offset int, minimum bool) (scale Mem, low *Mem) {
	if minimum {
		m := u.scratch.Offset(offset + 4)
		low = &m
	}
	return u.scratch.Offset(offset), low
}

var q5_0 = blockType{name: "Q50", elems: 32, bytes: 22, group: groupOf32, scratch: 64 + 32*groupOf32, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		u.halves(p, every(22, blocks)...)
		return u.fiveBits(p, blocks, 22, 2, 4, -16, false)
	}}

var q5_1 = blockType{name: "Q51", elems: 32, bytes: 24, group: groupOf32, scratch: 64 + 32*groupOf32, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		u.halfPairs(p, every(24, blocks)...)
		return u.fiveBits(p, blocks, 24, 4, 8, 0, true)
	}}

// fiveBits is halfByHalf for codes of five bits, of which a word of 32 bits, at offset high of a block, has the highest.
func (u *unpacker) fiveBits(p Register, blocks, bytes, high, stride, first int, minima bool) weights {
	if u.wide {
		return u.fiveBitsWide(p, bytes, high, stride, first, minima)
	}
	u.joinFiveBits(p, blocks, bytes, high, first)
	return func(part int) []VecVirtual {
		scale, low := u.scaleAt(part/2*stride, minima)
		codes := u.scratch.Offset(64 + 16*part)
		if minima {
			return u.unsigned(codes, scale, *low)
		}
		return u.signed(codes, scale)
	}
}

func (u *unpacker) fiveBitsWide(p Register, bytes, high, stride, first int, minima bool) weights {
	var (
		look func(VecVirtual) []VecVirtual
		n    nibbles
	)
	return func(part int) []VecVirtual {
		block := part / 2 * bytes
		if part%2 == 0 {
			scale, low := u.scaleAt(part/2*stride, minima)
			look = u.table32(func(i int) float32 { return float32(first + i) }, scale, low)
			n = u.nibbles(Mem{Base: p, Disp: block + high + 4})
		} else {
			u.high(n)
		}
		bit := ZMM() // bit 16·(part%2)+i of lane i, where bit 4 is
		VPBROADCASTD(Mem{Base: p, Disp: block + high}, bit)
		VPRORVD(u.constant(u.lanes(func(i int) uint32 { return uint32(16*(part%2)+i-4) & 31 }), bit), bit, bit)
		codes := ZMM()
		VMOVDQA32(n.v, codes)
		u.pick(0x0f, bit, codes)
		return look(codes)
	}
}

// joinFiveBits writes the codes as bytes to scratch, signed ones if the first of the levels is not 0. AVX2.
func (u *unpacker) joinFiveBits(p Register, blocks, bytes, high, first int) {
	const eachBit = 0x8040201008040201
	for b := range blocks {
		at := Mem{Base: p, Disp: b * bytes}
		set, low, codes := YMM(), XMM(), YMM()
		VPBROADCASTD(at.Offset(high), set)
		VPSHUFB(u.list(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303), set, set)
		VPAND(u.bits(eachBit), set, set)
		VPCMPEQB(u.bits(eachBit), set, set)
		VMOVDQU(at.Offset(high+4), low)
		VPSRLW(U8(4), low, codes.AsX())
		VINSERTI128(U8(1), codes.AsX(), low.AsY(), codes)
		VPAND(u.word(0x0f0f0f0f), codes, codes)
		if first < 0 {
			VPANDN(u.word(0xf0f0f0f0), set, set)
		} else {
			VPAND(u.word(0x10101010), set, set)
		}
		VPOR(set, codes, codes)
		VMOVDQU(codes, u.scratch.Offset(64+32*b))
	}
}
