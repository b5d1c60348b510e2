package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.Trials, in bytes: arrays of 16 lanes, then four single values.
const (
	trialS = 64 * iota
	trialM
	trialT
	trialB
	trialQ
	trialQQ
	trialDQ
	trialDD
	trialError
	trialMoved
	trialAlone
	trialBest
	trialMin
	trialXQ
	trialAloneS
	trialBestS
	trialSum
	trialFirst   = trialSum + 4
	trialSquares = trialSum + 8
	trialPerSum  = trialSum + 12
)

// roundTrials generates the rounding of values in 16 ways at once, a lane each.
func roundTrials(isa string, vector func() VecVirtual, elems int) {
	TEXT("roundTrials"+isa, NOSPLIT, "func(t *float32, x, w *float32, n int, lo, hi float32)")
	Doc("roundTrials"+isa+" completes the Trials at t for x[:n] and w[:n], as roundTrialsGeneric does.", "n is positive.")
	Pragma("noescape")
	t, x, w := Load(Param("t"), GP64()), Load(Param("x"), GP64()), Load(Param("w"), GP64())
	n := Load(Param("n"), GP64())
	v := trialVectors{vector, elems}
	for half := 0; half < 64; half += 4 * elems {
		v.beginTrials(t.(GPVirtual), half)
	}
	lo, hi, magic := v.full(paramMem("lo")), v.full(paramMem("hi")), v.constant(3<<22)
	sums := make([][4]VecVirtual, 16/elems)
	for i := range sums {
		for j := range sums[i] {
			sums[i][j] = v.zero()
		}
	}
	Label("value")
	for i := range sums {
		half := 4 * elems * i
		d, q, weight := v.full(Mem{Base: x}), vector(), v.full(Mem{Base: w})
		VMULPS(Mem{Base: t, Disp: trialT + half}, d, d)
		VADDPS(Mem{Base: t, Disp: trialB + half}, d, d)
		VMAXPS(lo, d, q)
		VMINPS(hi, q, q)
		VADDPS(magic, q, q)
		VSUBPS(magic, q, q)
		VSUBPS(q, d, d)
		term := vector()
		VMULPS(d, weight, term)
		VMULPS(q, weight, weight)
		VADDPS(weight, sums[i][0], sums[i][0])
		VMULPS(q, weight, weight)
		VADDPS(weight, sums[i][1], sums[i][1])
		VMULPS(q, term, q)
		VADDPS(q, sums[i][2], sums[i][2])
		VMULPS(d, term, term)
		VADDPS(term, sums[i][3], sums[i][3])
	}
	ADDQ(U8(4), x)
	ADDQ(U8(4), w)
	DECQ(n)
	JNZ(LabelRef("value"))
	for i := range sums {
		for j, sum := range sums[i] {
			VMOVUPS(sum, Mem{Base: t, Disp: trialQ + 64*j + 4*elems*i})
		}
	}
	for half := 0; half < 64; half += 4 * elems {
		v.judgeTrials(t.(GPVirtual), half)
	}
	VZEROUPPER()
	RET()
}

// scanTrials generates the same with fewer sums.
func scanTrials(isa string, vector func() VecVirtual, elems int) {
	TEXT("scanTrials"+isa, NOSPLIT, "func(t *float32, x, w, wx *float32, n int, lo, hi float32)")
	Doc("scanTrials"+isa+" completes the Trials at t for x[:n], w[:n] and wx[:n], as scanTrialsGeneric does.", "n is positive.")
	Pragma("noescape")
	t, x, w := Load(Param("t"), GP64()), Load(Param("x"), GP64()), Load(Param("w"), GP64())
	wx, n := Load(Param("wx"), GP64()), Load(Param("n"), GP64())
	v := trialVectors{vector, elems}
	for half := 0; half < 64; half += 4 * elems {
		v.beginTrials(t.(GPVirtual), half)
	}
	lo, hi, magic := v.full(paramMem("lo")), v.full(paramMem("hi")), v.constant(3<<22)
	sums := make([][3]VecVirtual, 16/elems)
	for i := range sums {
		for j := range sums[i] {
			sums[i][j] = v.zero()
		}
	}
	Label("value")
	for i := range sums {
		half := 4 * elems * i
		q, term := v.full(Mem{Base: x}), v.full(Mem{Base: w})
		VMULPS(Mem{Base: t, Disp: trialT + half}, q, q)
		VADDPS(Mem{Base: t, Disp: trialB + half}, q, q)
		VMAXPS(lo, q, q)
		VMINPS(hi, q, q)
		VADDPS(magic, q, q)
		VSUBPS(magic, q, q)
		VMULPS(q, term, term)
		VADDPS(term, sums[i][0], sums[i][0])
		VMULPS(q, term, term)
		VADDPS(term, sums[i][1], sums[i][1])
		VBROADCASTSS(Mem{Base: wx}, term)
		VMULPS(q, term, term)
		VADDPS(term, sums[i][2], sums[i][2])
	}
	for _, p := range []Op{x, w, wx} {
		ADDQ(U8(4), p)
	}
	DECQ(n)
	JNZ(LabelRef("value"))
	for i := range sums {
		for j, array := range []int{trialQ, trialQQ, trialXQ} {
			VMOVUPS(sums[i][j], Mem{Base: t, Disp: array + 4*elems*i})
		}
	}
	for half := 0; half < 64; half += 4 * elems {
		v.judgeScan(t.(GPVirtual), half)
	}
	VZEROUPPER()
	RET()
}

// trialVectors are operations whose results are new registers.
type trialVectors struct {
	vector func() VecVirtual
	elems  int
}

func (v trialVectors) full(m Mem) VecVirtual {
	r := v.vector()
	VBROADCASTSS(m, r)
	return r
}

func (v trialVectors) constant(value float32) VecVirtual {
	bits, r := GP32(), v.vector()
	MOVL(U32(math.Float32bits(value)), bits)
	VMOVD(bits, r.AsX())
	VBROADCASTSS(r.AsX(), r)
	return r
}

func (v trialVectors) zero() VecVirtual {
	r := v.vector()
	if v.elems == 16 {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
	return r
}

func (v trialVectors) load(m Mem) VecVirtual {
	r := v.vector()
	VMOVUPS(m, r)
	return r
}

func (v trialVectors) mul(a VecVirtual, b Op) VecVirtual {
	r := v.vector()
	VMULPS(b, a, r)
	return r
}

func (v trialVectors) add(a VecVirtual, b Op) VecVirtual {
	r := v.vector()
	VADDPS(b, a, r)
	return r
}

func (v trialVectors) sub(a VecVirtual, b Op) VecVirtual {
	r := v.vector()
	VSUBPS(b, a, r)
	return r
}

func (v trialVectors) div(a VecVirtual, b Op) VecVirtual {
	r := v.vector()
	VDIVPS(b, a, r)
	return r
}

// ifZero returns a where s is 0, and 0 elsewhere; unless is the opposite.
func (v trialVectors) ifZero(s, a VecVirtual) VecVirtual { return v.where(0, s, a) }
func (v trialVectors) unless(s, a VecVirtual) VecVirtual { return v.where(4, s, a) }

func (v trialVectors) where(comparison uint8, s, a VecVirtual) VecVirtual {
	r := v.zero()
	if v.elems == 16 {
		k := K()
		VCMPPS(U8(comparison), r, s, k)
		VMOVAPS_Z(a, k, r)
		return r
	}
	VCMPPS(U8(comparison), r, s, r)
	VANDPS(a, r, r)
	return r
}

// beginTrials sets T and B.
func (v trialVectors) beginTrials(t GPVirtual, half int) {
	at := func(array int) Mem { return Mem{Base: t, Disp: array + half} }
	s := v.load(at(trialS))
	scale := v.unless(s, v.div(v.constant(1), s))
	VMOVUPS(scale, at(trialT))
	VMOVUPS(v.mul(scale, at(trialM)), at(trialB))
}

// judgeTrials is judge, from sums in memory, step by step in the same order.
func (v trialVectors) judgeTrials(t GPVirtual, half int) {
	at := func(array int) Mem { return Mem{Base: t, Disp: array + half} }
	all := func(field int) VecVirtual { return v.full(Mem{Base: t, Disp: field}) }
	s, b, w, first := v.load(at(trialS)), v.load(at(trialB)), all(trialSum), all(trialFirst)
	q, dd := v.load(at(trialQ)), v.load(at(trialDD))
	perW, square := all(trialPerSum), v.mul(s, s)
	d := v.sub(v.add(v.mul(first, at(trialT)), v.mul(b, w)), q)
	meanQ, meanD := v.mul(q, perW), v.mul(d, perW)
	moved := v.sub(dd, v.mul(d, meanD))
	m := v.load(at(trialM))
	flat := v.ifZero(s, v.add(all(trialSquares), v.mul(m, v.add(v.mul(m, w), v.add(first, first)))))
	VMOVUPS(v.add(v.mul(square, dd), flat), at(trialError))
	VMOVUPS(v.add(v.mul(square, moved), flat), at(trialMoved))

	rest := v.sub(v.load(at(trialDQ)), v.mul(b, q))
	alone := v.add(v.sub(dd, v.mul(v.add(b, b), d)), v.mul(v.mul(b, b), w))
	VMOVUPS(v.mul(square, v.sub(alone, v.mul(rest, v.div(rest, at(trialQQ))))), at(trialAlone))

	qq := v.load(at(trialQQ))
	spread, both := v.sub(qq, v.mul(q, meanQ)), v.sub(v.load(at(trialDQ)), v.mul(meanD, q))
	VMAXPS(spread, v.mul(qq, v.constant(1e-5)), spread)
	a := v.div(both, spread)
	VMOVUPS(v.mul(square, v.sub(moved, v.mul(both, a))), at(trialBest))
	VMOVUPS(v.mul(s, v.add(v.sub(b, meanD), v.mul(a, meanQ))), at(trialMin))
}

// judgeScan is judgeScan, from sums in memory, step by step in the same order.
func (v trialVectors) judgeScan(t GPVirtual, half int) {
	at := func(array int) Mem { return Mem{Base: t, Disp: array + half} }
	all := func(field int) VecVirtual { return v.full(Mem{Base: t, Disp: field}) }
	most := func(a, b VecVirtual) VecVirtual {
		r := v.vector()
		VMAXPS(b, a, r)
		return r
	}
	s, m, q, qq, xq := v.load(at(trialS)), v.load(at(trialM)), v.load(at(trialQ)), v.load(at(trialQQ)), v.load(at(trialXQ))
	first, squares, least := all(trialFirst), all(trialSquares), v.constant(1e-30)
	tilted := v.add(xq, v.mul(m, q))
	deep := v.mul(m, v.add(v.mul(m, all(trialSum)), v.add(first, first)))
	VMOVUPS(v.add(squares, v.add(v.mul(s, v.sub(v.mul(s, qq), v.add(tilted, tilted))), deep)), at(trialError))
	alone := v.div(xq, most(qq, least))
	VMOVUPS(alone, at(trialAloneS))
	VMOVUPS(v.sub(squares, v.mul(xq, alone)), at(trialAlone))

	meanQ, mean := v.mul(q, all(trialPerSum)), v.mul(first, all(trialPerSum))
	squares = v.sub(squares, v.mul(first, mean))
	floor := most(v.mul(qq, v.constant(1e-5)), least)
	qq, xq = v.sub(qq, v.mul(q, meanQ)), v.sub(xq, v.mul(q, mean))
	VMOVUPS(v.add(squares, v.mul(s, v.sub(v.mul(s, qq), v.add(xq, xq)))), at(trialMoved))
	a := v.div(xq, most(qq, floor))
	VMOVUPS(a, at(trialBestS))
	VMOVUPS(v.sub(squares, v.mul(xq, a)), at(trialBest))
	VMOVUPS(v.sub(v.mul(a, meanQ), mean), at(trialMin))
}
