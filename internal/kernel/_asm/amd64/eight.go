package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Eight blocks of 32 weights, or four of 64, as one of 256, which AVX-512 prepares early, for rows that are a multiple of that long.
// In scratch are first the scales and then codes, 128 bytes from each four blocks of 32, where nibblesAt finds them.
var by256 = []blockType{q4_0Eight, q4_1Eight, q5_0Eight, q5_1Eight, iq4_nlEight, mxfp4Eight, nvfp4Four}

var q4_0Eight = blockType{name: "Q4Eight", elems: 256, bytes: 8 * 18, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalves(p, 18)
		return u.eightNibbles(p, linear(-8), fourCodes{block: 18, at: 2, loads: []int{2, 8}}, false)
	}}

var iq4_nlEight = blockType{name: "IQ4NLEight", elems: 256, bytes: 8 * 18, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalves(p, 18)
		return u.eightNibbles(p, iq4Levels, fourCodes{block: 18, at: 2, loads: []int{2, 8}}, false)
	}}

var q4_1Eight = blockType{name: "Q41Eight", elems: 256, bytes: 8 * 20, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalfPairs(p, 20, 80)
		return u.eightNibbles(p, linear(0), fourCodes{block: 20, at: 4, loads: []int{0, 16}}, true)
	}}

var q5_0Eight = blockType{name: "Q50Eight", elems: 256, bytes: 8 * 22, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalves(p, 22)
		return u.eightFiveBits(p, -16, fourCodes{block: 22, at: 6, loads: []int{2, 24}}, false)
	}}

var q5_1Eight = blockType{name: "Q51Eight", elems: 256, bytes: 8 * 24, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalfPairs(p, 24, 72, 128)
		return u.eightFiveBits(p, 0, fourCodes{block: 24, at: 8, loads: []int{8, 32}}, true)
	}}

var mxfp4Eight = blockType{name: "MXFP4Eight", elems: 256, bytes: 8 * 17, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		all, e := GP64(), YMM()
		MOVBQZX(Mem{Base: p, Disp: 7 * 17}, all)
		for i := 6; i >= 0; i-- {
			SHLQ(U8(8), all)
			MOVB(Mem{Base: p, Disp: i * 17}, all.As8())
		}
		MOVQ(all, u.scratch)
		VPMOVZXBD(u.scratch, e)
		u.powersMXFP4(e)
		VMOVUPS(e, u.scratch)
		return u.eightNibbles(p, e2m1Levels, fourCodes{block: 17, at: 1}, false)
	}}

// eightNibbles writes codes of four bits to scratch and returns the weights.
func (u *unpacker) eightNibbles(p Register, l levels, c fourCodes, minima bool) weights {
	for four := range 2 {
		u.storeMixedNibbles(u.mixFour(p, four, c), 64+128*four)
	}
	stride := 4
	if minima {
		stride = 8
	}
	var look func(nibbles) []VecVirtual
	codes := u.sixteenths()
	return func(part int) []VecVirtual {
		block := part / 2
		if part%2 == 0 {
			scale, low := u.scaleAt(block*stride, minima)
			look = u.table(l, scale, low)
		}
		return look(codes(64+block/4*128, block%4, part%2))
	}
}

// eightFiveBits is eightNibbles for codes of five bits, of which a word of 32 bits before the other four has the highest.
func (u *unpacker) eightFiveBits(p Register, first int, c fourCodes, minima bool) weights {
	for four := range 2 {
		low, high := u.mixFour(p, four, c), ZMM()
		VPSRLW(U8(4), low, high)
		for half, v := range []VecVirtual{low, high} {
			u.and(0x0f0f0f0f, v, v)
			VPADDB(u.constant(u.word(0x10101010), v), v, u.mixBits(p, four, half, c), v)
			u.move(v, u.scratch.Offset(64+128*four+64*half))
		}
	}
	stride := 4
	if minima {
		stride = 8
	}
	var look func(VecVirtual) []VecVirtual
	return func(part int) []VecVirtual {
		block := part / 2
		if part%2 == 0 {
			scale, low := u.scaleAt(block*stride, minima)
			look = u.table32(func(i int) float32 { return float32(first + i) }, scale, low)
		}
		return look(u.nibblesAt(64+block/4*128, block%4, part%2).v)
	}
}

// mixBits returns the mask of those bytes of mixFour whose codes have the highest bit.
func (u *unpacker) mixBits(p Register, four, half int, c fourCodes) Register {
	all, fourth, k := GP64(), GP64(), K()
	MOVQ(U64(0x1111111111111111), fourth)
	for b := range 4 {
		bits := GP64()
		MOVWQZX(Mem{Base: p, Disp: (4*four+b)*c.block + c.at - 4 + 2*half}, bits)
		PDEPQ(fourth, bits, bits)
		if b == 0 {
			MOVQ(bits, all)
		} else {
			LEAQ(Mem{Base: all, Index: bits, Scale: 1 << b}, all)
		}
	}
	KMOVQ(all, k)
	return k
}

// fourCodes are where the 16 bytes of codes are in four blocks: at their offset at. Two loads of 64 bytes, from offsets of four
// blocks, have each of them where words of 32 bits begin, if there are such.
type fourCodes struct {
	block, at int
	loads     []int
}

// mixFour does what mix does to the codes of four blocks, the first or the second four from p on.
func (u *unpacker) mixFour(p Register, four int, c fourCodes) VecVirtual {
	v, blocks := ZMM(), Mem{Base: p, Disp: four * 4 * c.block}
	if c.loads == nil {
		VBROADCASTI32X4(blocks.Offset(c.at), v)
		for b := 1; b < 4; b++ {
			VINSERTI32X4(U8(b), blocks.Offset(b*c.block+c.at), v, v)
		}
		u.mix(v, v)
		return v
	}
	words := u.lanes(func(i int) uint32 {
		for load, first := range c.loads {
			if from := i%4*c.block + c.at - first; from >= 0 && from%4 == 0 && from+16 <= 64 {
				return uint32(16*load + from/4 + i/4)
			}
		}
		panic("codes are in neither load")
	})
	VMOVDQU32(blocks.Offset(c.loads[0]), v)
	VPERMT2D(blocks.Offset(c.loads[1]), u.constant(words, v), v)
	u.mixWords(v)
	return v
}

// eightHalves writes the float16 that begin eight blocks to the beginning of scratch, as float32. They are put side by side in
// general registers, which need none of the ports of vector registers.
func (u *unpacker) eightHalves(p Register, block int) {
	for four := range 2 {
		all := GP64()
		for i := 3; i >= 0; i-- {
			m := Mem{Base: p, Disp: (4*four + i) * block}
			if i == 3 {
				MOVWQZX(m, all)
				continue
			}
			SHLQ(U8(16), all)
			MOVW(m, all.As16())
		}
		u.fourHalves(all, 16*four)
	}
}

// fourHalves writes four float16 to scratch at at, as float32.
func (u *unpacker) fourHalves(all GPVirtual, at int) {
	v := XMM()
	MOVQ(all, u.scratch.Offset(at))
	VCVTPH2PS(u.scratch.Offset(at), v)
	VMOVUPS(v, u.scratch.Offset(at))
}

// eightHalfPairs is eightHalves for two float16 each, of which the second is a minimum to be added. Each pair is in one of some loads of
// 64 bytes, of which the offsets after the first, 0, are given.
func (u *unpacker) eightHalfPairs(p Register, block int, loads ...int) {
	u.added = true
	pairs, v := YMM(), ZMM()
	VMOVDQU32(Mem{Base: p}, pairs.AsZ())
	for k, load := range loads {
		words := u.lanes(func(i int) uint32 {
			switch at := i % 8 * block; {
			case at >= load && at < load+64:
				return uint32(16 + (at-load)/4)
			case k == 0:
				return uint32(at / 4)
			}
			return uint32(i) // is in its place
		})
		VPERMT2D(Mem{Base: p, Disp: load}, u.constant(words, v), pairs.AsZ())
	}
	VCVTPH2PS(pairs, v)
	VMOVUPS(v, u.scratch)
}

// sixteenths returns nibblesAt for all sixteenths, in ascending order, which shifts the third from the first: ports for loads are as
// scarce as those for arithmetic, and a load that crosses lines takes two.
func (u *unpacker) sixteenths() func(at, sixteenth, half int) nibbles {
	var first [2]VecVirtual
	return func(at, sixteenth, half int) nibbles {
		if sixteenth == 2 {
			v := ZMM()
			VPSRLD(U8(16), first[half], v)
			return nibbles{v}
		}
		n := u.nibblesAt(at, sixteenth, half)
		if sixteenth == 0 {
			first[half] = n.v
		}
		return n
	}
}
