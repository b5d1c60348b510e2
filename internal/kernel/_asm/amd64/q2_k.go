package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q2_K has 16 scales and minima, 64 bytes of codes, d and dmin.
var q2_k = blockType{name: "Q2K", elems: 256, bytes: 84, group: 1, scratch: 128 + 256, abreast: 4, inScratch: true, prepare: prepareQ2K}

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
		return u.pairs(func(half, from int) VecVirtual {
			codes := ZMM()
			VPMOVZXBD(Mem{Base: p, Disp: 16 + 32*half + from}, codes)
			return codes
		}, func(part int, value func(int) float32) VecVirtual {
			t := ZMM()
			s, low := scale(part)
			u.tableOf(t, value, s, &low)
			return t
		})
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

// pairs returns the weights of which each byte from load has four codes of two bits, 32 weights apart: it loads 16 bytes,
// from 0 or 16 on, for the first or second half of a block. Two codes share the low four bits, so that one table finds the
// first, and another the second. AVX-512.
func (u *unpacker) pairs(load func(half, from int) VecVirtual, table func(part int, value func(int) float32) VecVirtual) weights {
	var codes [2]VecVirtual
	return func(part int) []VecVirtual {
		j, i := part/2%4, part%2
		switch j {
		case 0:
			codes[i] = load(part/8, 16*i)
		case 2:
			VPSRLD(U8(4), codes[i], codes[i])
		}
		v := ZMM()
		VPERMPS(table(part, func(code int) float32 { return float32(code >> (j % 2 * 2) & 3) }), codes[i], v)
		return []VecVirtual{v}
	}
}
