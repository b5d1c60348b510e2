package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// halves writes the float16 at offsets from p to the beginning of scratch, as float32 one after the other. Each must have six
// bytes of its block behind it: a conversion from memory takes four at a time, and no shuffle.
func (u *unpacker) halves(p Register, offsets ...int) {
	for i, at := range offsets {
		v := XMM()
		VCVTPH2PS(Mem{Base: p, Disp: at}, v)
		VMOVSS(v, u.scratch.Offset(4*i))
	}
}

// halfPairs is halves for two float16 at each offset, of which the second is a minimum to be added.
func (u *unpacker) halfPairs(p Register, offsets ...int) {
	u.added = true
	for i, at := range offsets {
		v := XMM()
		VCVTPH2PS(Mem{Base: p, Disp: at}, v)
		VMOVSD(v, u.scratch.Offset(8*i))
	}
}

// lastHalves returns registers full of the last n of the four float16 at m. The beginning of scratch is lost.
func (u *unpacker) lastHalves(m Mem, n int) (full []VecVirtual) {
	v := XMM()
	VCVTPH2PS(m, v)
	VMOVUPS(v, u.scratch)
	for i := 4 - n; i < 4; i++ {
		d := u.reg()
		VBROADCASTSS(u.scratch.Offset(4*i), d)
		full = append(full, d)
	}
	return full
}

// half returns a register full of the float16 at m.
func (u *unpacker) half(m Mem) VecVirtual {
	d := u.reg()
	words := Register(d.AsX())
	if u.wide {
		words = d.AsY()
	}
	VPBROADCASTW(m, words)
	VCVTPH2PS(words, d)
	return d
}

// scale16 writes 16 signed bytes, times d, to the beginning of scratch.
func (u *unpacker) scale16(codes VecVirtual, d VecVirtual) {
	u.eachSixteen(codes, func(first int, codes Register, v VecVirtual) {
		VPMOVSXBD(codes, v)
		VCVTDQ2PS(v, v)
		VMULPS(d, v, v)
		VMOVUPS(v, u.scratch.Offset(4*first))
	})
}

// scaleBytes is scale16 of bytes in memory.
func (u *unpacker) scaleBytes(codes Mem, d VecVirtual) {
	for i, v := range u.sixteen(func(first int, v VecVirtual) {
		VPMOVSXBD(codes.Offset(first), v)
		VCVTDQ2PS(v, v)
		VMULPS(d, v, v)
	}) {
		VMOVUPS(v, u.scratch.Offset(32*i))
	}
}

// eachSixteen calls emit for each register that 16 float32 take, with their codes, the bytes of a register, at its beginning.
func (u *unpacker) eachSixteen(codes VecVirtual, emit func(first int, codes Register, v VecVirtual)) []VecVirtual {
	return u.sixteen(func(first int, v VecVirtual) {
		if first > 0 {
			VPSRLDQ(U8(8), codes, codes)
		}
		emit(first, codes, v)
	})
}

// kScaleBytes emits the scales and minima of Q4_K and Q5_K, which d and dmin at p begin, four bytes at a time, and calls use for
// each: first for those of the scales from 0 and from 4, then for those of the minima. See scaleMinK of package tensor.
func kScaleBytes(p Register, use func(minima, first int, four GPVirtual)) {
	last, lastOfMinima := GP32(), GP32()
	MOVL(Mem{Base: p, Disp: 12}, last)
	MOVL(last, lastOfMinima)
	SHRL(U8(4), lastOfMinima)
	for minima, last := range []GPVirtual{last, lastOfMinima} { // four bits of each byte of last belong to two of first
		first, upper := GP32(), GP32()
		MOVL(Mem{Base: p, Disp: 4 + 4*minima}, first)
		MOVL(first, upper)
		SHRL(U8(2), upper)
		ANDL(U32(0x30303030), upper)
		ANDL(U32(0x0f0f0f0f), last)
		ORL(last, upper)
		ANDL(U32(0x3f3f3f3f), first)
		use(minima, 0, first)
		use(minima, 4, upper)
	}
}

// kScales writes the scales and minima of Q4_K and Q5_K to the beginning of scratch: that of s at 8s and 8s+4.
func (u *unpacker) kScales(p Register) {
	var bytes [2]VecVirtual
	var low GPVirtual
	kScaleBytes(p, func(minima, first int, four GPVirtual) {
		if first == 0 {
			low = four
			return
		}
		SHLQ(U8(32), four.As64())
		ORQ(four.As64(), low.As64())
		bytes[minima] = XMM()
		VMOVQ(low.As64(), bytes[minima])
	})
	s := bytes[0]
	VPUNPCKLBW(bytes[1], s, s)
	both, d := XMM(), u.reg()
	VCVTPH2PS(Mem{Base: p}, both)
	VMOVSD(both, u.scratch)
	VBROADCASTSD(u.scratch, d)
	u.scale16(s, d)
}

// kScalesEarly is kScales with AVX-512, where vector operations are scarcer than others. The rest is left for later, when what it
// reads is in the cache. The 24 bytes at spare are lost.
func (u *unpacker) kScalesEarly(p Register, spare int) {
	at := u.scratch.Offset(spare)
	kScaleBytes(p, func(minima, first int, four GPVirtual) { MOVL(four, at.Offset(2*first+4*minima)) })
	d := XMM()
	VCVTPH2PS(Mem{Base: p}, d)
	VMOVSD(d, at.Offset(16))
	u.later = append(u.later, func() {
		all, d := ZMM(), ZMM()
		VBROADCASTI32X4(u.scratch.Offset(spare), all)
		VPSHUFB(u.constant(u.lanes(func(i int) uint32 { return 0x80808000 | uint32(i/8*8+i%2*4+i/2%4) }), all), all, all)
		VCVTDQ2PS(all, all)
		VBROADCASTSD(u.scratch.Offset(spare+16), d)
		VMULPS(d, all, all)
		VMOVUPS(all, u.scratch)
	})
}
