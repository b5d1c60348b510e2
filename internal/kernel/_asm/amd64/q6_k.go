package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q6_K has 128 bytes with the lower four bits of codes, 64 bytes with the upper two, 16 signed scales, and d.
var q6_k = blockType{name: "Q6K", elems: 256, bytes: 210, group: 1, scratch: 64 + 256, early: 128 + 256, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, _ int) weights {
		if !u.wide {
			u.scaleBytes(Mem{Base: p, Disp: 192}, u.lastHalves(Mem{Base: p, Disp: 202}, 1)[0])
			u.joinQ6K(p)
			return func(part int) []VecVirtual {
				return u.signed(u.scratch.Offset(64+16*part), u.scratch.Offset(4*part))
			}
		}
		scales, d := ZMM(), u.lastHalves(Mem{Base: p, Disp: 202}, 1)[0]
		VPMOVSXBD(Mem{Base: p, Disp: 192}, scales)
		VCVTDQ2PS(scales, scales)
		VMULPS(d, scales, scales)
		u.storeUnits(scales, 32)
		u.joinQ6KWide(p)
		return u.units(func(part int, v VecVirtual) { VBROADCASTI32X4(u.scratch.Offset(128+16*part), v) }, 1, 32)
	}}

// joinQ6K writes the codes to scratch as signed bytes, a row of 32 at a time.
func (u *unpacker) joinQ6K(p Register) {
	for row := range 8 {
		h, j := row/4, row%4
		v, upper := u.load(Mem{Base: p, Disp: 64*h + j%2*32}), u.load(Mem{Base: p, Disp: 128 + 32*h})
		if j >= 2 {
			VPSRLW(U8(4), v, v)
		}
		switch {
		case j < 2:
			VPSLLW(U8(4-2*j), upper, upper)
		case j == 3:
			VPSRLW(U8(2), upper, upper)
		}
		u.signedSixBits(upper, v)
		u.move(v, u.scratch.Offset(64+32*row))
	}
}

// joinQ6KWide takes two rows at a time. AVX-512.
func (u *unpacker) joinQ6KWide(p Register) {
	for h := range 2 {
		upper := ZMM()
		VBROADCASTI64X4(Mem{Base: p, Disp: 128 + 32*h}, upper)
		low, high := u.load(Mem{Base: p, Disp: 64 * h}), ZMM()
		VPSRLW(U8(4), low, high)
		for pair, v := range []VecVirtual{low, high} {
			bits := ZMM()
			VPRORVD(u.constant(u.lanes(func(i int) uint32 { return uint32(4*pair+i/8*2-4) & 31 }), bits), upper, bits)
			u.pick(0x0f0f0f0f, bits, v)
			u.and(0x3f3f3f3f, v, v)
			u.move(v, u.scratch.Offset(128+128*h+64*pair))
		}
	}
}

// signedSixBits joins the lower four bits of bytes of v with two of upper, and subtracts 32.
func (u *unpacker) signedSixBits(upper, v VecVirtual) {
	u.pick(0x0f0f0f0f, upper, v)
	u.and(0x3f3f3f3f, v, v)
	VPSUBB(u.constant(u.word(0x20202020), v), v, v)
}
