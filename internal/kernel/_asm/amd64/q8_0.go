package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A block of Q8_0: a float16 scale and 32 signed bytes.
const (
	q8Elems = 32
	q8Bytes = 2 + q8Elems
)

var q8_0 = blockType{name: "Q8", elems: q8Elems, bytes: q8Bytes, group: groupOf32, scratch: 64, abreast: 4, inScratch: true,
	prepare: func(u *unpacker, p Register, blocks int) weights {
		u.halves(p, every(q8Bytes, blocks)...)
		return func(part int) []VecVirtual {
			codes := Mem{Base: p, Disp: part/2*q8Bytes + 2 + part%2*16}
			return u.signed(codes, u.scratch.Offset(part/2*4))
		}
	}}

// quantizeQ8 generates what tensor.NarrowF32 does for Q8_0. Rounding halves away from zero is dropping the fraction, and one more where
// that was a half or more.
func quantizeQ8(k *constants) {
	TEXT("quantizeQ8AVX2", NOSPLIT, "func(dst *byte, src *float32, n int)")
	Doc("quantizeQ8AVX2 encodes src[:n] as Q8_0 blocks into dst, as tensor.NarrowF32 does.", "n is a positive multiple of 32.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	order := YMM() // of four bytes each after packing by halves
	VMOVDQU(k.list(4<<32, 5<<32|1, 6<<32|2, 7<<32|3), order)
	Label("block")
	var v [q8Elems / 8]VecVirtual
	largest := YMM()
	for part := range v {
		v[part] = YMM()
		VMOVUPS(Mem{Base: src, Disp: 32 * part}, v[part])
		if part == 0 {
			VPAND(k.word(0x7fffffff), v[part], largest)
			continue
		}
		magnitude := YMM()
		VPAND(k.word(0x7fffffff), v[part], magnitude)
		VPMAXUD(magnitude, largest, largest)
	}
	largestWord(largest)
	d, inverse, some := largest.AsX(), XMM(), XMM()
	VDIVSS(k.word(math.Float32bits(127)), d, d)
	VXORPS(some, some, some)
	VCMPSS(U8(4), some, d, some) // unequal
	VMOVSS(k.word(math.Float32bits(1)), inverse)
	VDIVSS(d, inverse, inverse)
	VANDPS(some, inverse, inverse)
	VCVTPS2PH(U8(0), d, d)
	VPEXTRW(U8(0), d, Mem{Base: dst})
	scale := YMM()
	VBROADCASTSS(inverse, scale)
	for part := range v {
		x, whole, more, unit := v[part], YMM(), YMM(), YMM()
		VMULPS(scale, x, x)
		VROUNDPS(U8(3), x, whole) // toward zero
		VSUBPS(whole, x, more)
		VANDPS(k.word(0x7fffffff), more, more)
		VCMPPS(U8(13), k.word(math.Float32bits(0.5)), more, more) // at least
		VANDPS(k.word(1<<31), x, unit)
		VORPS(k.word(math.Float32bits(1)), unit, unit)
		VANDPS(more, unit, unit)
		VADDPS(unit, whole, whole)
		VANDPS(k.word(0x7fffffff), x, x)
		VCMPPS(U8(1), k.word(math.Float32bits(127.5)), x, x) // less; not what is no number
		VCVTTPS2DQ(whole, whole)
		VPAND(x, whole, v[part])
	}
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[3], v[2], v[2])
	VPACKSSWB(v[2], v[0], v[0])
	VPERMD(v[0], order, v[0])
	VMOVDQU(v[0], Mem{Base: dst, Disp: 2})
	ADDQ(U32(4*q8Elems), src)
	ADDQ(U8(q8Bytes), dst)
	SUBQ(U8(q8Elems), n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
