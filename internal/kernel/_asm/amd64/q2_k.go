package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q2_K has 16 scales and minima, 64 bytes of codes, d and dmin.
var q2_k = blockType{name: "Q2K", elems: 256, bytes: 84, group: 1, scratch: 128 + 256, early: 128 + 128, abreast: 4, inScratch: true, prepare: prepareQ2K}

func prepareQ2K(u *unpacker, p Register, _ int) weights {
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
	if u.wide {
		u.storeNibbles(Mem{Base: p, Disp: 16}, 128)
		var codes [2]nibbles
		return func(part int) []VecVirtual {
			t, v, n := ZMM(), ZMM(), &codes[part%2]
			if part/2%2 == 0 {
				*n = u.nibblesAt(128, part/8*2+part%2, part/4%2)
			}
			s, low := scale(part)
			u.tableOf(t, func(code int) float32 { return float32(code >> (part / 2 % 2 * 2) & 3) }, s, &low)
			VPERMPS(t, n.v, v)
			return []VecVirtual{v}
		}
	}
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
