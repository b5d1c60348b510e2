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

// kScales writes the scales and minima of Q4_K and Q5_K, which d and dmin at p begin, to the beginning of scratch: that of
// s at 8s and 8s+4. See scaleMinK of package tensor.
func (u *unpacker) kScales(p Register) {
	load := func(at int) Register {
		v := GP32()
		MOVL(Mem{Base: p, Disp: at}, v)
		return v
	}
	// collect joins six bits of each byte of first with four of last and two of first.
	collect := func(first, last Register) VecVirtual {
		upper := GP32()
		MOVL(first, upper)
		SHRL(U8(2), upper)
		ANDL(U32(0x30303030), upper)
		ANDL(U32(0x0f0f0f0f), last)
		ORL(last, upper)
		ANDL(U32(0x3f3f3f3f), first)
		SHLQ(U8(32), upper.As64())
		ORQ(upper.As64(), first.(GPVirtual).As64())
		v := XMM()
		VMOVQ(first.(GPVirtual).As64(), v)
		return v
	}
	scales, minima, last := load(4), load(8), load(12)
	lastOfMinima := GP32()
	MOVL(last, lastOfMinima)
	SHRL(U8(4), lastOfMinima)
	s, m := collect(scales, last), collect(minima, lastOfMinima)
	VPUNPCKLBW(m, s, s)
	both, d := XMM(), u.reg()
	VCVTPH2PS(Mem{Base: p}, both)
	VMOVSD(both, u.scratch)
	VBROADCASTSD(u.scratch, d)
	u.scale16(s, d)
}

// kScalesEarly is kScales with AVX-512. See kScaleAt and kMinimumAt.
func (u *unpacker) kScalesEarly(p Register) {
	each := func(words ...uint32) Mem { return u.lanes(func(i int) uint32 { return words[i%4] }) }
	v, last := XMM(), XMM()
	VMOVDDUP(Mem{Base: p, Disp: 4}, v)
	VPSRLVQ(u.constant(each(0, 0, 2, 0), v), v, v)
	VPBROADCASTD(Mem{Base: p, Disp: 12}, last)
	VPSRLVD(u.constant(each(0, 0, 0, 4), v), last, last)
	VPTERNLOGD(U8(0xe4), u.constant(each(0, 0, 0x0f0f0f0f, 0x0f0f0f0f), v), v, last)
	u.and(0x3f3f3f3f, last, last)
	units, all, d := u.blank(), ZMM(), ZMM()
	VCVTPH2PS(Mem{Base: p}, units.AsX())
	VPERMPS(units, u.constant(u.lanes(func(i int) uint32 { return uint32(i / 4 % 2) }), d), d)
	VPMOVZXBD(last, all)
	VCVTDQ2PS(all, all)
	VMULPS(d, all, all)
	VMOVUPS(all, u.scratch)
}

// kScaleAt returns where scale s is in scratch.
func (u *unpacker) kScaleAt(s int) Mem { return u.scratch.Offset(4 * (s/4*8 + s%4)) }

// kMinimumAt is kScaleAt for minima.
func (u *unpacker) kMinimumAt(s int) *Mem {
	m := u.kScaleAt(s).Offset(16)
	return &m
}
