package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q3_K has 32 bytes with the highest bits of codes, 64 bytes with the others, 12 bytes of scales, and d.
var q3_k = blockType{name: "Q3K", elems: 256, bytes: 110, group: 1, scratch: 64 + 256, early: 64 + 256, abreast: 2, inScratch: true, prepare: prepareQ3K}

func prepareQ3K(u *unpacker, p Register, _ int) weights {
	if u.wide {
		u.scalesQ3K(p)
		return u.weightsQ3K(p)
	}
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

// scalesQ3K writes the scales to the beginning of scratch, times 2^26, the second and the third of each four exchanged. d is where codes
// are yet to come. A scale is the upper six bits of a byte, which becomes the first of a word: so the sign is in its place.
func (u *unpacker) scalesQ3K(p Register) {
	each := func(words ...uint32) Mem { return u.lanes(func(i int) uint32 { return words[i%4] }) }
	v, upper, d := ZMM(), ZMM(), XMM()
	VPBROADCASTQ(Mem{Base: p, Disp: 96}, v)
	VPRORVQ(u.constant(each(62, 0, 2, 0), v), v, v)
	VPBROADCASTD(Mem{Base: p, Disp: 104}, upper)
	VPRORVD(u.constant(each(26, 28, 30, 0), upper), upper, upper)
	u.pick(0x3c3c3c3c, upper, v)
	VPTERNLOGD(U8(0x6a), u.constant(u.word(0x80808080), v), u.constant(u.word(0xfcfcfcfc), v), v) // less 32
	order := u.lanes(func(i int) uint32 { return uint32(i/4*4+i%2*2+i/2%2)<<24 | 0x808080 })
	VPSHUFB(u.constant(order, v), v, v)
	VCVTDQ2PS(v, v)
	VCVTPH2PS(Mem{Base: p, Disp: 102}, d)
	VMOVUPS(d, u.scratch.Offset(64))
	VMULPS_BCST(u.scratch.Offset(64+12), v, v)
	VMOVUPS(v, u.scratch)
}

// weightsQ3K makes nibbles of codes: two bits, the highest one, and one that says which of two scales there is, that of an even row
// of 32 weights or of the odd one behind it. So a table of 16 float32 is enough for two parts.
func (u *unpacker) weightsQ3K(p Register) weights {
	// rows looks four bits up: of rows first and first+2, it gives the lower two bits of nibbles.
	rows := func(first int) Op {
		return u.constant(u.lanes(func(i int) (four uint32) {
			for b := range 4 {
				n := 4*(i%4) + b
				four |= uint32(n>>first&1<<1|n>>(first+2)&1<<5|first*0x11) << (8 * b)
			}
			return four
		}), ZMM())
	}
	high, odd, even, bits := ZMM(), ZMM(), ZMM(), ZMM()
	VPERMD(Mem{Base: p}, u.constant(u.lanes(func(i int) uint32 { return uint32(i%2*4 + i/4) }), high), high)
	u.mixWords(high)
	VPSRLVW(u.constant(u.word(4<<16), high), high, high) // of the first half of the block, and of the second
	u.and(0x0f0f0f0f, high, high)
	u.mix(Mem{Base: p, Disp: 32}, odd)
	VPSLLW(U8(2), odd, even)
	VPSHUFB(high, rows(0), bits)
	u.pick(0xcccccccc, bits, even)
	VPSHUFB(high, rows(1), bits)
	u.pick(0xcccccccc, bits, odd)
	u.storeMixedNibbles(even, 64)
	u.storeMixedNibbles(odd, 64+128)
	var tables [2]VecVirtual
	return func(part int) []VecVirtual {
		row, half := part/2%4, part/8*2+part%2
		t, v := &tables[part%2], ZMM()
		if row%2 == 0 {
			*t = ZMM()
			VBROADCASTSD(u.scratch.Offset(part/4*16+part%2*8), *t)
			VMULPS(u.constant(u.singles(func(i int) float32 { return float32(i>>2+i>>1&1*4-4) / (1 << 26) }), v), *t, *t)
		}
		VPERMPS(*t, u.load(u.scratch.Offset(64+row%2*128+row/2*64+half)), v)
		return []VecVirtual{v}
	}
}
