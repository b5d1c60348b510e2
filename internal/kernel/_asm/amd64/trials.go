package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// roundTrials generates the rounding of values in 16 ways at once, a lane each.
func roundTrials(isa string, vector func() VecVirtual, elems int) {
	TEXT("roundTrials"+isa, NOSPLIT, "func(t *float32, x, w *float32, n int, lo, hi float32)")
	Doc("roundTrials"+isa+" sets the sums of the Trials at t for x[:n] and w[:n], as roundTrialsGeneric does.", "n is positive.")
	Pragma("noescape")
	t, x, w := Load(Param("t"), GP64()), Load(Param("x"), GP64()), Load(Param("w"), GP64())
	n := Load(Param("n"), GP64())
	full := func(m Mem) VecVirtual {
		v := vector()
		VBROADCASTSS(m, v)
		return v
	}
	lo, hi := full(paramMem("lo")), full(paramMem("hi"))
	bits := GP32()
	MOVL(U32(0x4b400000), bits) // magic
	magic := vector()
	VMOVD(bits, magic.AsX())
	VBROADCASTSS(magic.AsX(), magic)
	sums := make([][4]VecVirtual, 16/elems)
	for i := range sums {
		for j := range sums[i] {
			sums[i][j] = vector()
			if elems == 16 {
				VPXORD(sums[i][j], sums[i][j], sums[i][j])
			} else {
				VXORPS(sums[i][j], sums[i][j], sums[i][j])
			}
		}
	}
	Label("value")
	for i := range sums {
		half := 4 * elems * i
		d, q, weight := full(Mem{Base: x}), vector(), full(Mem{Base: w})
		VMULPS(Mem{Base: t, Disp: half}, d, d)
		VADDPS(Mem{Base: t, Disp: 64 + half}, d, d)
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
		for j, v := range sums[i] {
			VMOVUPS(v, Mem{Base: t, Disp: 64*(2+j) + 4*elems*i})
		}
	}
	VZEROUPPER()
	RET()
}
