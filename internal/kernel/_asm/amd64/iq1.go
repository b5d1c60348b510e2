package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of IQ1_S has d, 32 bytes of row numbers, and eight times 16 bits: three bits each of four row numbers, three of the
// scale, and in the highest which half of the table.
var iq1_s = blockType{name: "IQ1S", elems: 256, bytes: 50, group: 1, scratch: gridScratch, early: gridScratch, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			rows, upper, half, codes := ZMM(), ZMM(), ZMM(), u.blank()
			VPMOVZXBW(Mem{Base: p, Disp: 2}, rows)
			VBROADCASTI32X4(Mem{Base: p, Disp: 34}, upper)
			u.shuffle(upper, func(row int) uint32 { return uint32(row/4*2)*0x0101 + 0x0100 })
			VPSRLW(U8(4), upper, half)
			VPMULLW(u.constant(u.halfWords(func(row int) uint32 { return 512 >> (row % 4 * 3) }), upper), upper, upper) // bits 3k to bit 9
			VPSRLW(U8(1), upper, upper)
			u.pick(7<<24|7<<8, half, upper)
			u.orBits(15<<8, upper, rows)
			u.storeRowsWide(above, 32, rows)
			VPMOVZXWD(Mem{Base: p, Disp: 34}, codes.AsY())
			VPSRLD(U8(12), codes, codes)
			u.storeUnits(u.halfUp(codes, u.one(Mem{Base: p}), 3, 0.25), 64)
			return u.shiftedWide(2)
		}
		for i := 0; i < 32; i += 16 {
			words, upper, half := YMM(), YMM(), YMM() // each of four words four times
			VPBROADCASTQ(Mem{Base: p, Disp: 34 + i/2}, words)
			VPSHUFB(u.list(0x0100010001000100, 0x0302030203020302, 0x0504050405040504, 0x0706070607060706), words, words)
			VPMULLW(u.list(every4(1<<48|8<<32|64<<16|512)...), words, upper) // bits 3k to bit 9
			VPAND(u.word(0x0e000e00), upper, upper)
			VPSRLW(U8(3), words, half)
			VPAND(u.word(0x10001000), half, half)
			VPOR(half, upper, upper)
			VPSRLW(U8(1), upper, upper)
			number := YMM()
			VPMOVZXBW(Mem{Base: p, Disp: 2 + i}, number)
			VPOR(upper, number, number)
			u.storeRows(iq1, i, number)
		}
		scales := YMM()
		VPMOVZXWD(Mem{Base: p, Disp: 34}, scales)
		VPSRLD(U8(12), scales, scales)
		VPAND(u.word(7), scales, scales)
		u.storeScales(0, scales, u.half8(Mem{Base: p}), 0.25)
		return u.shifted(2)
	}}

// A block of IQ1_M has 32 bytes of row numbers, 16 bytes with four more bits of each, and four times 16 bits: three bits each of
// four scales, and four of d.
var iq1_m = blockType{name: "IQ1M", elems: 256, bytes: 56, group: 1, scratch: gridScratch, early: gridScratch, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if u.wide {
			rows, upper, codes, words, d := ZMM(), ZMM(), ZMM(), GP64(), ZMM()
			VPMOVZXBW(Mem{Base: p}, rows)
			VBROADCASTI32X4(Mem{Base: p, Disp: 32}, upper)
			u.shuffle(upper, func(row int) uint32 { return uint32(row/2)<<8 | 0x80 })
			VPSRLVW(u.constant(u.halfWords(func(row int) uint32 { return uint32(row % 2 * 4) }), upper), upper, upper)
			u.orBits(15<<8, upper, rows)
			u.storeRowsWide(above, 32, rows)
			VPBROADCASTQ(Mem{Base: p, Disp: 48}, codes)
			VPSHUFB(u.constant(u.lanes(func(i int) uint32 { return 0x80800100 + uint32(i/4)*0x0202 }), codes), codes, codes)
			VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(i % 4 * 3) }), codes), codes, codes)
			MOVQ(Mem{Base: p, Disp: 48}, words)
			PEXTQ(u.bits(0xf000f000f000f000), words, words)
			VMOVQ(words, d.AsX())
			VCVTPH2PS(d.AsX(), d.AsX())
			VBROADCASTSS(d.AsX(), d)
			u.storeUnits(u.halfUp(codes, d, 3, 0.25), 64)
			return u.shiftedWide(1)
		}
		for i, upper := range nibblePairs(u, Mem{Base: p, Disp: 32}, false) {
			lower, first, second := XMM(), XMM(), XMM()
			VMOVDQU(Mem{Base: p, Disp: 16 * i}, lower)
			VPUNPCKLBW(upper, lower, first)
			VPUNPCKHBW(upper, lower, second)
			u.storeRows(iq1, 16*i, first)
			u.storeRows(iq1, 16*i+8, second)
		}
		d := YMM()
		u.joinNibbles(Mem{Base: p, Disp: 48}, d.AsX())
		VCVTPH2PS(d.AsX(), d.AsX())
		VBROADCASTSS(d.AsX(), d)
		for half := range 2 {
			scales := YMM()
			VPBROADCASTD(Mem{Base: p, Disp: 48 + 4*half}, scales)
			VPSHUFB(u.list(0x8080010080800100, 0x8080010080800100, 0x8080030280800302, 0x8080030280800302), scales, scales)
			VPSRLVD(u.list(3<<32, 9<<32|6, 3<<32, 9<<32|6), scales, scales)
			VPAND(u.word(7), scales, scales)
			u.storeScales(8*half, scales, d, 0.25)
		}
		return u.shifted(1)
	}}

// joinNibbles sets the lowest 16 bits of v to the highest four bits of the four words at m, the first lowest.
func (u *unpacker) joinNibbles(m Mem, v Register) {
	high := XMM()
	VMOVQ(m, v)
	VPSRLW(U8(12), v, v)
	VPMADDWD(u.list(16<<48|1<<32|16<<16|1, 0), v, v)
	VPSRLQ(U8(24), v, high) // the upper two nibbles, eight bits up
	VPOR(high, v, v)
}
