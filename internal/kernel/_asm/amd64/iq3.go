package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of IQ3_XXS has d, 64 bytes of row numbers, and eight times 32 bits of signs and scale.
var iq3_xxs = blockType{name: "IQ3XXS", elems: 256, bytes: 98, group: 1, scratch: gridScratch, early: gridScratch, abreast: 4, inScratch: true,
	planes: func(u *unpacker, p Register) weights {
		codes := u.blank()
		VPSRLD(U8(28), Mem{Base: p, Disp: 66}, codes.AsY())
		u.move(u.halfUp(codes, u.one(Mem{Base: p}), 4, 0.5), u.scratch.Offset(planeScales))
		plane := u.findRows(planes3XXS, u.load(Mem{Base: p, Disp: 2}), nil)
		return u.magnitudes3(plane, u.evenSigns(Mem{Base: p, Disp: 66}), func(i int) float32 { return []float32{4, 12, 20, 28, 36, 44, 52, 62}[i] })
	},
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			words, codes := YMM(), u.blank()
			for i := 0; i < 64; i += 32 {
				rows := ZMM()
				VPMOVZXBW(Mem{Base: p, Disp: 2 + i}, rows)
				u.storeRowsWide(iq3xxs, i, rows)
			}
			VMOVDQU32(Mem{Base: p, Disp: 66}, words)
			u.storeEven(u.sevenBits(words))
			VPSRLD(U8(28), words, codes.AsY())
			u.move(u.halfUp(codes, u.one(Mem{Base: p}), 4, 0.5), u.scratch.Offset(gridScales))
			return u.magnitudesWide(iq3xxs, 2)
		}
		for i := 0; i < 64; i += 16 {
			number := YMM()
			VPMOVZXBW(Mem{Base: p, Disp: 2 + i}, number)
			u.storeRows(iq3xxs, i, number)
		}
		words := YMM()
		VMOVDQU(Mem{Base: p, Disp: 66}, words)
		signs := u.storeStoredSigns(u.spread(words))
		VPSRLD(U8(28), words, words)
		u.storeScales(0, words, u.half8(Mem{Base: p}), 0.5)
		return u.magnitudes(iq3xxs, 2, signs)
	}}

// A block of IQ3_S has d, 64 bytes of row numbers, 8 with their highest bits, 32 of signs, and 4 of scales.
var iq3_s = blockType{name: "IQ3S", elems: 256, bytes: 110, group: 1, scratch: gridScratch, early: gridScratch, abreast: 4, inScratch: true,
	planes: func(u *unpacker, p Register) weights {
		u.move(u.scalesIQ3S(p), u.scratch.Offset(planeScales))
		ninth := K3
		KMOVQ(Mem{Base: p, Disp: 66}, ninth)
		plane := u.findRows(planes3S, u.load(Mem{Base: p, Disp: 2}), ninth)
		return u.magnitudes3(plane, Mem{Base: p, Disp: 74}, func(i int) float32 { return float32(2*i + 1) })
	},
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			signs := YMM()
			for i := 0; i < 64; i += 32 {
				rows := ZMM()
				VPMOVZXBW(Mem{Base: p, Disp: 2 + i}, rows)
				KMOVD(Mem{Base: p, Disp: 66 + i/8}, K1)
				VPADDW(u.constant(u.word(256<<16|256), rows), rows, K1, rows)
				u.storeRowsWide(iq3s, i, rows)
			}
			VMOVDQU32(Mem{Base: p, Disp: 74}, signs)
			VMOVDQU32(signs, u.scratch.Offset(gridSigns))
			u.move(u.scalesIQ3S(p), u.scratch.Offset(gridScales))
			return u.magnitudesWide(iq3s, 2)
		}
		for i := 0; i < 64; i += 16 {
			highest, number := u.spreadBytes(Mem{Base: p, Disp: 66 + i/8}, 2), YMM()
			VPMULLW(u.list(0x0020004000800100, 0x0002000400080010, 0x0020004000800100, 0x0002000400080010), highest, highest)
			VPAND(u.word(0x01000100), highest, highest)
			VPMOVZXBW(Mem{Base: p, Disp: 2 + i}, number)
			VPOR(highest, number, number)
			u.storeRows(iq3s, i, number)
		}
		signs, scales := YMM(), YMM()
		VMOVDQU(Mem{Base: p, Disp: 74}, signs)
		VPBROADCASTD(Mem{Base: p, Disp: 106}, scales)
		VPSRLVD(u.lanes(func(i int) uint32 { return uint32(4*i) & 31 }), scales, scales)
		VPAND(u.word(15), scales, scales)
		u.storeScales(0, scales, u.half8(Mem{Base: p}), 2)
		return u.magnitudes(iq3s, 2, u.storeSigns(signs))
	}}

// scalesIQ3S returns all scales. AVX-512.
func (u *unpacker) scalesIQ3S(p Register) VecVirtual {
	codes := ZMM()
	VPBROADCASTD(Mem{Base: p, Disp: 106}, codes)
	VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(4*i) & 31 }), codes), codes, codes)
	return u.halfUp(codes, u.one(Mem{Base: p}), 4, 2)
}
