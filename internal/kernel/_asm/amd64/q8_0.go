package main

import (
	"fmt"
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

// loadScale sets all lanes of d to the scale of the block at p.
func loadScale(p Register, d VecVirtual) {
	VPBROADCASTW(Mem{Base: p}, d.AsX())
	VCVTPH2PS(d.AsX(), d)
}

// loadPart sets u to the elements of the block at p from part times as many on as u has. The scale is d.
func loadPart(p Register, part int, d, u VecVirtual) {
	elems := int(u.Size()) / 4
	VPMOVSXBD(Mem{Base: p, Disp: 2 + elems*part}, u)
	VCVTDQ2PS(u, u)
	VMULPS(d, u, u)
}

// dotQ8 is dot for Q8_0, whose blocks span two blocks of lanes.
func dotQ8(streams int) {
	name := map[int]string{1: "One", 4: "Four"}[streams]
	TEXT(fmt.Sprintf("dot%sQ8AVX2", name), NOSPLIT, "func(y *float32, w *byte, x *float32, cols, rows int)")
	Doc(fmt.Sprintf("dot%sQ8AVX2 sets y[r] to the dot product of row r of w [%d·rows, cols], in Q8_0, with x, as dotGeneric does.",
		name, streams), "cols is a positive multiple of 32, rows is positive.")
	Pragma("noescape")
	y, w, x := Load(Param("y"), GP64()), Load(Param("w"), GP64()), Load(Param("x"), GP64())
	cols, rows := Load(Param("cols"), GP64()), Load(Param("rows"), GP64())
	gap := GP64() // bytes from one stream to the next
	MOVQ(cols, gap)
	IMULQ(rows, gap)
	SHRQ(U8(4), gap)
	IMUL3Q(U8(q8Bytes/2), gap, gap)
	ptr := rowPointers(w, gap, streams, 1)
	out := rowPointers(y, rows, streams, 4)
	left := gap // free again
	at, count := GP64(), GP64()
	MOVQ(rows, count)

	Label("row")
	acc := accumulators(streams)
	MOVQ(x, at)
	MOVQ(cols, left)
	Label("block")
	scales := make([]VecVirtual, streams)
	for i, p := range ptr {
		scales[i] = YMM()
		loadScale(p, scales[i])
	}
	for part := range q8Elems / 8 {
		v := YMM()
		VMOVUPS(Mem{Base: at, Disp: 32 * part}, v)
		for i, p := range ptr {
			u := YMM()
			loadPart(p, part, scales[i], u)
			VFMADD231PS(u, v, acc[i][part%2])
		}
	}
	ADDQ(U32(4*q8Elems), at)
	for _, p := range ptr {
		ADDQ(U8(q8Bytes), p)
	}
	SUBQ(U8(q8Elems), left)
	JNZ(LabelRef("block"))
	for i, o := range out {
		VMOVSS(sumLanes(acc[i]), Mem{Base: o})
		ADDQ(U8(4), o)
	}
	DECQ(count)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// widenQ8 is widen for Q8_0.
func widenQ8() {
	TEXT("widenQ8AVX2", NOSPLIT, "func(dst *float32, src *byte, n int)")
	Doc("widenQ8AVX2 sets dst[i] to element i of the Q8_0 blocks in src for i < n, as widenQ8Generic does.",
		"n is a positive multiple of 32.")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	Label("block")
	d := YMM()
	loadScale(src, d)
	for part := range q8Elems / 8 {
		u := YMM()
		loadPart(src, part, d, u)
		VMOVUPS(u, Mem{Base: dst, Disp: 32 * part})
	}
	ADDQ(U8(q8Bytes), src)
	ADDQ(U32(4*q8Elems), dst)
	SUBQ(U8(q8Elems), n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// dotQ8Wide generates what dotQ8 does, with the 16 lanes of a row in one register.
func dotQ8Wide(streams int) {
	name := map[int]string{1: "One", 4: "Four"}[streams]
	TEXT(fmt.Sprintf("dot%sQ8AVX512", name), NOSPLIT, "func(y *float32, w *byte, x *float32, cols, rows int)")
	Doc(fmt.Sprintf("dot%sQ8AVX512 sets y[r] to the dot product of row r of w [%d·rows, cols], in Q8_0, with x, as dotGeneric does.",
		name, streams), "cols is a positive multiple of 32, rows is positive.")
	Pragma("noescape")
	y, w, x := Load(Param("y"), GP64()), Load(Param("w"), GP64()), Load(Param("x"), GP64())
	cols, rows := Load(Param("cols"), GP64()), Load(Param("rows"), GP64())
	gap := GP64() // bytes from one stream to the next
	MOVQ(cols, gap)
	IMULQ(rows, gap)
	SHRQ(U8(4), gap)
	IMUL3Q(U8(q8Bytes/2), gap, gap)
	ptr := rowPointers(w, gap, streams, 1)
	out := rowPointers(y, rows, streams, 4)
	left := gap // free again
	at := GP64()

	Label("row")
	acc := lanes16(streams)
	MOVQ(x, at)
	MOVQ(cols, left)
	Label("block")
	scales := make([]VecVirtual, streams)
	for i, p := range ptr {
		scales[i] = ZMM()
		VPBROADCASTW(Mem{Base: p}, scales[i].AsY())
		VCVTPH2PS(scales[i].AsY(), scales[i])
	}
	for part := range q8Elems / 16 {
		v := ZMM()
		VMOVUPS(Mem{Base: at, Disp: 64 * part}, v)
		for i, p := range ptr {
			u := ZMM()
			loadPart(p, part, scales[i], u)
			VFMADD231PS(u, v, acc[i])
		}
	}
	ADDQ(U32(4*q8Elems), at)
	for _, p := range ptr {
		ADDQ(U8(q8Bytes), p)
	}
	SUBQ(U8(q8Elems), left)
	JNZ(LabelRef("block"))
	for i, o := range out {
		VMOVSS(sumLanesWide(acc[i]), Mem{Base: o})
		ADDQ(U8(4), o)
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

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
