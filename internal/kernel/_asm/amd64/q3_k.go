package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q3_K has 32 bytes with the highest bits of codes, 64 bytes with the others, 12 bytes of scales, and d.
var q3_k = blockType{name: "Q3K", elems: 256, bytes: 110, group: 1, scratch: 64 + 256, early: 64 + 256, abreast: 2, inScratch: true, prepare: prepareQ3K}

func prepareQ3K(u *unpacker, p Register, _ int) weights {
	scales, upper := XMM(), XMM()
	VPBROADCASTQ(Mem{Base: p, Disp: 96}, scales)
	VPSRLVQ(u.list(0, 4), scales, scales)
	VPBROADCASTD(Mem{Base: p, Disp: 104}, upper) // bits 0 and 1 of the first four are to be 4 and 5, then bits 2 and 3, and so on
	VPSLLVD(u.list(2<<32|4, 0), upper, upper)
	VPSRLVD(u.list(0, 2<<32), upper, upper)
	u.pick(0x0f0f0f0f, upper, scales)
	VPAND(u.word(0x3f3f3f3f), scales, scales)
	VPSUBB(u.word(0x20202020), scales, scales)
	u.scale16(scales, u.lastHalves(Mem{Base: p, Disp: 102}, 1)[0])
	if u.wide {
		return u.weightsQ3K(p)
	}
	high := u.load(Mem{Base: p})
	for row := range 8 { // 128·(row/4) + 32·(row%4) + 0 to 31
		v, bit := u.load(Mem{Base: p, Disp: 32 + row/4*32}), YMM()
		VPSRLW(U8(row%4*2), v, v)
		if row < 2 {
			VPSLLW(U8(2-row), high, bit)
		} else {
			VPSRLW(U8(row-2), high, bit)
		}
		u.pick(0x03030303, bit, v)
		u.and(0x07070707, v, v)
		VPSUBB(u.word(0x04040404), v, v)
		u.move(v, u.scratch.Offset(64+32*row))
	}
	return func(part int) []VecVirtual {
		return u.signed(u.scratch.Offset(64+16*part), u.scratch.Offset(4*part))
	}
}

// weightsQ3K makes nibbles of the codes, three bits and one of another code, with those of the first half of the block in the
// low halves of bytes and of the second half in the high halves. Rows are 32 weights. The code of an even row is in the lower
// two bits, with the highest bit above, that of an odd row in the upper two, with its highest bit in the second of the others.
func (u *unpacker) weightsQ3K(p Register) weights {
	twice := func(at int) VecVirtual {
		v := ZMM()
		VBROADCASTI64X4(Mem{Base: p, Disp: at}, v)
		return v
	}
	shift := func(by func(ops ...Op), first, second uint32, v VecVirtual) VecVirtual {
		r := ZMM()
		by(u.constant(u.lanes(func(i int) uint32 { return []uint32{first, second}[i/8] * 0x00010001 }), v), v, r)
		return r
	}
	codes := shift(VPSRLVW, 0, 4, twice(32)) // rows 0 and 1, then 2 and 3
	u.pick(0x0f0f0f0f, shift(VPSLLVW, 4, 0, twice(64)), codes)
	high := twice(0)
	even, odd := shift(VPSLLVW, 2, 0, high), shift(VPSRLVW, 0, 2, high)
	u.pick(0xcccccccc, codes, even)
	u.pick(0x33333333, codes, odd)
	u.storeNibbles(even, 64)
	u.storeNibbles(odd, 64+128)
	return func(part int) []VecVirtual {
		row := part / 2 % 4
		t, v := ZMM(), ZMM()
		u.tableOf(t, func(i int) float32 {
			if row%2 == 1 {
				i = i>>2 | i<<1&4
			}
			return float32(i&7 - 4)
		}, u.scratch.Offset(4*part), nil)
		VPERMPS(t, u.nibblesAt(64+row%2*128, row/2*2+part%2, part/8).v, v)
		return []VecVirtual{v}
	}
}
