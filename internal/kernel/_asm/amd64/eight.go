package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Eight blocks of 32 weights as one of 256, which AVX-512 prepares early, for rows that are a multiple of that long. In scratch
// are first the scales and then codes, 128 bytes from each four blocks, where nibblesAt finds them.
var eights = []blockType{q4_0Eight, q4_1Eight, iq4_nlEight}

var q4_0Eight = blockType{name: "Q4Eight", elems: 256, bytes: 8 * 18, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalves(p, 18)
		return u.eightNibbles(p, linear(-8), fourCodes{block: 18, at: 2, loads: [2]int{2, 8}}, false)
	}}

var iq4_nlEight = blockType{name: "IQ4NLEight", elems: 256, bytes: 8 * 18, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalves(p, 18)
		return u.eightNibbles(p, iq4Levels, fourCodes{block: 18, at: 2, loads: [2]int{2, 8}}, false)
	}}

var q4_1Eight = blockType{name: "Q41Eight", elems: 256, bytes: 8 * 20, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.eightHalfPairs(p, 20)
		return u.eightNibbles(p, linear(0), fourCodes{block: 20, at: 4, loads: [2]int{0, 16}}, true)
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

// fourCodes are where the 16 bytes of codes are in four blocks: at their offset at. Two loads of 64 bytes, from offsets of four
// blocks, have each of them where words of 32 bits begin.
type fourCodes struct {
	block, at int
	loads     [2]int
}

// mixFour does what mix does to the codes of four blocks, the first or the second four from p on.
func (u *unpacker) mixFour(p Register, four int, c fourCodes) VecVirtual {
	v, blocks := ZMM(), Mem{Base: p, Disp: four * 4 * c.block}
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

// eightHalfPairs is eightHalves for two float16 each, of which the second is a minimum to be added.
func (u *unpacker) eightHalfPairs(p Register, block int) {
	u.added = true
	for pair := range 4 {
		first, second := GP64(), GP64()
		MOVL(Mem{Base: p, Disp: 2 * pair * block}, first.As32())
		MOVL(Mem{Base: p, Disp: (2*pair + 1) * block}, second.As32())
		SHLQ(U8(32), second)
		ORQ(second, first)
		u.fourHalves(first, 16*pair)
	}
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
