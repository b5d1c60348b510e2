package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of IQ2_XXS has d and eight times four bytes of row numbers and 32 bits of signs and scale.
var iq2_xxs = blockType{name: "IQ2XXS", elems: 256, bytes: 66, group: 1, scratch: gridScratch, early: gridScratch, abreast: 4, inScratch: true,
	planes: func(u *unpacker, p Register) weights {
		everyOther := func(first uint32) VecVirtual { // of 16 words, twice
			v := ZMM()
			VPERMD(Mem{Base: p, Disp: 2}, u.constant(u.lanes(func(i int) uint32 { return uint32(i%8*2) + first }), v).(VecVirtual), v)
			return v
		}
		words, codes := everyOther(1).AsY(), u.blank()
		VPSRLD(U8(28), words, codes.AsY())
		u.move(u.halfUp(codes, u.one(Mem{Base: p}), 4, 0.25), u.scratch.Offset(planeScales))
		signs := u.scratch.Offset(planeSigns)
		u.move(u.evenSigns(words), signs)
		return u.magnitudes2(u.findRows(planes2XXS, everyOther(0), nil), signs, func(i int) float32 { return []float32{8, 25, 43, 0}[i&3] })
	},
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			rows, words, codes := u.load(Mem{Base: p, Disp: 2}), YMM(), u.blank()
			VSHUFPS(U8(0xdd), Mem{Base: p, Disp: 34}, rows.AsY(), words)
			VPERMQ(U8(0xd8), words, words)
			u.shuffle(rows, func(row int) uint32 { return 0x8000 | uint32(row/4*8+row%4) })
			u.storeRowsWide(iq2xxs, 0, rows)
			u.storeEven(u.sevenBits(words))
			VPSRLD(U8(28), words, codes.AsY())
			u.move(u.halfUp(codes, u.one(Mem{Base: p}), 4, 0.25), u.scratch.Offset(gridScales))
			return u.magnitudesWide(iq2xxs, 2)
		}
		first, second, numbers, words := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: p, Disp: 2}, first)
		VMOVUPS(Mem{Base: p, Disp: 34}, second)
		for _, half := range []struct {
			v    VecVirtual
			from uint8
		}{{numbers, 0x88}, {words, 0xdd}} {
			VSHUFPS(U8(half.from), second, first, half.v)
			VPERMQ(U8(0xd8), half.v, half.v)
		}
		for i := 0; i < 32; i += 16 {
			v := YMM()
			VPMOVZXBW(numbers.AsX(), v)
			u.storeRows(iq2xxs, i, v)
			if i == 0 {
				VEXTRACTI128(U8(1), numbers, numbers.AsX())
			}
		}
		signs := u.storeStoredSigns(u.spread(words))
		VPSRLD(U8(28), words, words)
		u.storeScales(0, words, u.half8(Mem{Base: p}), 0.25)
		return u.magnitudes(iq2xxs, 2, signs)
	}}

// A block of IQ2_XS has d, 32 times 16 bits of row number and signs, and 8 bytes of scales.
var iq2_xs = blockType{name: "IQ2XS", elems: 256, bytes: 74, group: 1, scratch: gridScratch, early: gridScratch, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			rows, signs := u.load(Mem{Base: p, Disp: 2}), ZMM()
			VPSRLW(U8(9), rows, signs)
			VPMOVWB(signs, signs.AsY())
			u.storeEven(signs.AsY().(VecVirtual))
			u.and(511<<16|511, rows, rows)
			u.storeRowsWide(iq2xs, 0, rows)
			u.move(u.halfUp(u.nibblesOf(Mem{Base: p, Disp: 66}), u.one(Mem{Base: p}), 4, 0.25), u.scratch.Offset(gridScales))
			return u.magnitudesWide(iq2xs, 1)
		}
		var stored [2]VecVirtual
		for i := range stored {
			number := YMM()
			stored[i] = YMM()
			VMOVDQU(Mem{Base: p, Disp: 2 + 32*i}, number)
			VPSRLW(U8(9), number, stored[i])
			VPAND(u.word(511<<16|511), number, number)
			u.storeRows(iq2xs, 16*i, number)
		}
		VPACKUSWB(stored[1], stored[0], stored[0])
		VPERMQ(U8(0xd8), stored[0], stored[0])
		signs := u.storeStoredSigns(stored[0])
		u.storeNibbleScales(Mem{Base: p, Disp: 66}, u.half8(Mem{Base: p}), 0.25)
		return u.magnitudes(iq2xs, 1, signs)
	}}

// A block of IQ2_S has d, 32 bytes of row numbers, 32 of signs, 8 with the upper two bits of row numbers, and 8 of scales.
var iq2_s = blockType{name: "IQ2S", elems: 256, bytes: 82, group: 1, scratch: gridScratch, early: gridScratch, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			rows, upper, signs := ZMM(), ZMM(), YMM()
			VPMOVZXBW(Mem{Base: p, Disp: 2}, rows)
			VPBROADCASTQ(Mem{Base: p, Disp: 66}, upper)
			u.shuffle(upper, func(row int) uint32 { return 0x8000 | uint32(row/4) })
			VPSLLVW(u.constant(u.halfWords(func(row int) uint32 { return uint32(8 - row%4*2) }), upper), upper, upper)
			u.orBits(3<<8, upper, rows)
			u.storeRowsWide(iq2s, 0, rows)
			VMOVDQU32(Mem{Base: p, Disp: 34}, signs)
			VMOVDQU32(signs, u.scratch.Offset(gridSigns))
			u.move(u.halfUp(u.nibblesOf(Mem{Base: p, Disp: 74}), u.one(Mem{Base: p}), 4, 0.25), u.scratch.Offset(gridScales))
			return u.magnitudesWide(iq2s, 1)
		}
		for i := 0; i < 32; i += 16 {
			upper, number := u.spreadBytes(Mem{Base: p, Disp: 66 + i/4}, 4), YMM()
			VPMULLW(u.list(every4(4<<48|16<<32|64<<16|256)...), upper, upper)
			VPAND(u.word(0x03000300), upper, upper)
			VPMOVZXBW(Mem{Base: p, Disp: 2 + i}, number)
			VPOR(upper, number, number)
			u.storeRows(iq2s, i, number)
		}
		signs := YMM()
		VMOVDQU(Mem{Base: p, Disp: 34}, signs)
		u.storeNibbleScales(Mem{Base: p, Disp: 74}, u.half8(Mem{Base: p}), 0.25)
		return u.magnitudes(iq2s, 1, u.storeSigns(signs))
	}}

// every4 repeats a list of four words of 16 bits.
func every4(words uint64) []uint64 { return []uint64{words, words, words, words} }
