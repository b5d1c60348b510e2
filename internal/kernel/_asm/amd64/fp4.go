package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// e2m1Levels are e2m1Doubled of package tensor.
var e2m1Levels = levels{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// A block of MXFP4 has an exponent e and 16 bytes of codes; the scale is 2^(e-128).
var mxfp4 = blockType{name: "MXFP4", elems: 32, bytes: 17, group: groupOf32, scratch: 64, abreast: 4,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		e := XMM()
		VPXOR(e, e, e)
		for i := range blocks {
			VPINSRB(U8(4*i), Mem{Base: p, Disp: 17 * i}, e, e)
		}
		u.powersMXFP4(e)
		VMOVDQU(e, u.scratch)
		return u.halfByHalf(p, 17, 1, e2m1Levels, 4, false)
	}}

// powersMXFP4 sets words to the float32 that exponents stand for. The bits are e-1 where the exponent is; for e of 0 and 1, which make
// that too small, they are subnormal: 1<<(21+e).
func (u *unpacker) powersMXFP4(e VecVirtual) {
	subnormal := VecVirtual(XMM())
	if e.Size() == 32 {
		subnormal = YMM()
	}
	VMOVDQU(u.word(1<<21), subnormal)
	VPSLLVD(e, subnormal, subnormal)
	VPMINUD(u.word(1<<22), subnormal, subnormal)
	VPSUBD(u.word(1), e, e)
	VPSLLD(U8(23), e, e)
	VPMAXSD(subnormal, e, e)
}

// A block of NVFP4 has four scales in E4M3 and 8 bytes of codes for each.
var nvfp4 = blockType{name: "NVFP4", elems: 64, bytes: 36, group: 1, scratch: 64, abreast: 4,
	prepare: func(u *unpacker, p Register, _ int) weights {
		// Without its sign, and 7 bits to the left, an E4M3 is a float16 2^8 times smaller.
		d, nan := XMM(), XMM()
		VMOVD(Mem{Base: p}, d)
		VPCMPEQB(u.word(0x7f7f7f7f), d, nan)
		VPANDN(d, nan, d)
		VPAND(u.word(0x7f7f7f7f), d, d)
		VPMOVZXBW(d, d)
		VPSLLW(U8(7), d, d)
		VCVTPH2PS(d, d)
		VMULPS(u.single(1<<7), d, d)
		VMOVUPS(d, u.scratch)
		return func(part int) []VecVirtual {
			codes, scale := Mem{Base: p, Disp: 4 + 8*part}, u.scratch.Offset(4*part)
			if u.wide {
				v := ZMM()
				VMOVDDUP(codes, v.AsX())
				VPMOVZXBD(v.AsX(), v)
				VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(i / 8 * 4) }), v), v, v)
				return u.table(e2m1Levels, scale, nil)(nibbles{v})
			}
			low, high := XMM(), XMM()
			VMOVQ(codes, low)
			VPSRLW(U8(4), low, high)
			VPUNPCKLQDQ(high, low, low)
			return u.table(e2m1Levels, scale, nil)(nibbles{low})
		}
	}}

// nvfp4Four is four blocks as one, which AVX-512 prepares early.
var nvfp4Four = blockType{name: "NVFP4Four", elems: 256, bytes: 4 * 36, early: 64 + 256,
	prepare: func(u *unpacker, p Register, _ int) weights {
		u.scalesNVFP4Four(p)
		for block := range 4 {
			v := ZMM()
			VBROADCASTI64X4(Mem{Base: p, Disp: 36*block + 4}, v)
			VPERMD(v, u.constant(u.lanes(func(i int) uint32 { return uint32(i%4*2 + i/4%2) }), v), v)
			u.mixWords(v)
			VPSRLVD(u.constant(u.lanes(func(i int) uint32 { return uint32(i / 8 * 4) }), v), v, v)
			u.move(v, u.scratch.Offset(64+64*block))
		}
		codes := u.sixteenths()
		return func(part int) []VecVirtual {
			return u.table(e2m1Levels, u.scratch.Offset(4*part), nil)(codes(64+part/4*64, part%4, 0))
		}
	}}

// scalesNVFP4Four writes 16 scales to the beginning of scratch. See nvfp4.
func (u *unpacker) scalesNVFP4Four(p Register) {
	bytes, halves, v, finite := XMM(), YMM(), ZMM(), K()
	words := u.lanes(func(i int) uint32 { return uint32(i%4/2*16 + i%2*9) })
	VMOVDQU32(Mem{Base: p}, bytes.AsZ())
	VPERMT2D(Mem{Base: p, Disp: 72}, u.constant(words, v), bytes.AsZ())
	VPCMPUB(U8(4), u.constant(u.word(0x7f7f7f7f), bytes), bytes, finite)
	VMOVDQU8_Z(bytes, finite, bytes)
	u.and(0x7f7f7f7f, bytes, bytes)
	VPMOVZXBW(bytes, halves)
	VPSLLW(U8(7), halves, halves)
	VCVTPH2PS(halves, v)
	VMULPS(u.constant(u.single(1<<7), v), v, v)
	VMOVUPS(v, u.scratch)
}
