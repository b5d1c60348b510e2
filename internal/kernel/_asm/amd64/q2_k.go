package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q2_K has 16 scales and minima, 64 bytes of codes, d and dmin.
var q2_k = blockType{name: "Q2K", elems: 256, bytes: 84, group: 1, scratch: 128 + 256, early: 128 + 256, abreast: 4, inScratch: true, prepare: prepareQ2K}

func prepareQ2K(u *unpacker, p Register, _ int) weights {
	if u.wide {
		u.scalesQ2K(p)
		return u.weightsQ2K(p)
	}
	units := u.lastHalves(Mem{Base: p, Disp: 76}, 2)
	d, dmin := units[0], units[1]
	u.sixteen(func(first int, v VecVirtual) {
		low := u.reg()
		VPMOVZXBD(Mem{Base: p, Disp: first}, v)
		for _, half := range []struct {
			codes, unit VecVirtual
			at          int
		}{{v, d, 4 * first}, {low, dmin, 64 + 4*first}} {
			if half.at < 64 {
				VPSRLD(U8(4), v, low)
				u.and(15, v, v)
			}
			VCVTDQ2PS(half.codes, half.codes)
			VMULPS(half.unit, half.codes, half.codes)
			VMOVUPS(half.codes, u.scratch.Offset(half.at))
		}
	})
	scale := func(part int) (Mem, Mem) { return u.scratch.Offset(4 * part), u.scratch.Offset(64 + 4*part) }
	for row := range 8 { // 128·(row/4) + 32·(row%4) + 0 to 31
		v := u.load(Mem{Base: p, Disp: 16 + row/4*32})
		VPSRLW(U8(row%4*2), v, v)
		u.and(0x03030303, v, v)
		u.move(v, u.scratch.Offset(128+32*row))
	}
	return func(part int) []VecVirtual {
		s, low := scale(part)
		return u.unsigned(u.scratch.Offset(128+16*part), s, low)
	}
}

// scalesQ2K writes scales and minima to the beginning of scratch: tables of d and of dmin, times 0 to 15, have them.
func (u *unpacker) scalesQ2K(p Register) {
	units, codes := XMM(), ZMM()
	VCVTPH2PS(Mem{Base: p, Disp: 76}, units)
	VMOVUPS(units, u.scratch.Offset(128)) // where codes are yet to come
	VPMOVZXBD(Mem{Base: p}, codes)
	for i := range 2 {
		t := ZMM()
		u.tableOf(t, func(i int) float32 { return float32(i) }, u.scratch.Offset(128+8+4*i), nil)
		if i == 1 {
			VPSRLD(U8(4), codes, codes)
		}
		VPERMPS(t, codes, t)
		VMOVUPS(t, u.scratch.Offset(64*i))
	}
}

// weightsQ2K makes nibbles of codes: two bits, and two that say which of four scales and minima there are. So a table of 16 float32 is
// enough for four parts.
func (u *unpacker) weightsQ2K(p Register) weights {
	odd, even := ZMM(), ZMM() // rows of 32 weights
	// The first 16 codes of a row are to be 16 bits below the others: mix puts those of the same half of the block next to each other.
	VPERMD(Mem{Base: p, Disp: 16}, u.constant(u.lanes(func(i int) uint32 { return uint32(i%2*8 + i/2%2*4 + i/4) }), odd), odd)
	u.mixWords(odd)
	VPSLLW(U8(2), odd, even)
	VPTERNLOGD(U8(0xe4), u.constant(u.word(0xcccccccc), even), u.constant(u.word(0x11110000), even), even)
	VPTERNLOGD(U8(0xe4), u.constant(u.word(0xcccccccc), odd), u.constant(u.word(0x33332222), odd), odd)
	u.storeMixedNibbles(even, 128)
	u.storeMixedNibbles(odd, 128+128)
	var t, codes VecVirtual
	return func(part int) []VecVirtual {
		row, half, v := part/2%4, part/8, ZMM()
		if part%4 == 0 {
			t = ZMM()
			VBROADCASTF32X4(u.scratch.Offset(4*part), t)
			VBROADCASTF32X4(u.scratch.Offset(64+4*part), v)
			u.multiplyLess(v, u.constant(u.singles(func(i int) float32 { return float32(i / 4) }), t), t)
		}
		if half == 1 && part%2 == 1 { // a shift in place of another load that crosses lines
			VPSRLD(U8(16), codes, codes)
		} else {
			codes = u.load(u.scratch.Offset(128 + row%2*128 + row/2*64 + half + part%2*2))
		}
		VPERMPS(t, codes, v)
		return []VecVirtual{v}
	}
}
