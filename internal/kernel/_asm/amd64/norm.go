package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// addSquares generates the first half of an RMS norm: the sum of squares in 8 lanes.
func addSquares(k *constants) {
	TEXT("addSquares"+k.isa, NOSPLIT, "func(lanes *float64, x *float32, n int)")
	Pragma("noescape")
	Doc("addSquares" + k.isa + " adds x[i]², which is exact, to lanes[i mod 8] for i < n. n is a positive multiple of 8.")
	lanes, x, n := Load(Param("lanes"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	acc := make([]VecVirtual, 8/k.elems)
	for i := range acc {
		acc[i] = k.reg()
		VMOVUPD(Mem{Base: lanes, Disp: 8 * k.elems * i}, acc[i])
	}
	Label("eight")
	for i := range acc {
		v := k.reg()
		VCVTPS2PD(Mem{Base: x, Disp: 4 * k.elems * i}, v)
		VFMADD231PD(v, v, acc[i])
	}
	ADDQ(U8(32), x)
	SUBQ(U8(8), n)
	JNZ(LabelRef("eight"))
	for i := range acc {
		VMOVUPD(acc[i], Mem{Base: lanes, Disp: 8 * k.elems * i})
	}
	VZEROUPPER()
	RET()
}

// scaleRow generates the second half.
func scaleRow(k *constants) {
	TEXT("scaleRow"+k.isa, NOSPLIT, "func(y, x, weight *float32, scale float64, n int)")
	Pragma("noescape")
	Doc("scaleRow" + k.isa + " sets y[i] = x[i]·scale·weight[i] for i < n, as scaleRowGeneric does. n is a positive multiple of " + k.multiple())
	y, x, weight := Load(Param("y"), GP64()), Load(Param("x"), GP64()), Load(Param("weight"), GP64())
	scale, n := k.reg(), Load(Param("n"), GP64())
	VBROADCASTSD(paramMem("scale"), scale)
	k.forVectors(n, func(i Register) {
		v := k.load(x, i)
		VMULPD(scale, v, v)
		VMULPD(k.load(weight, i), v, v)
		k.store(v, y, i)
	})
}

// addTo generates the residual connection.
func addTo(isa string, vector func() VecVirtual, elems int) {
	TEXT("addTo"+isa, NOSPLIT, "func(y, x *float32, n int)")
	Pragma("noescape")
	Doc("addTo" + isa + " sets y[i] += x[i] for i < n. n is a positive multiple of 16.")
	y, x, n := Load(Param("y"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	Label("sixteen")
	for i := 0; i < 16; i += elems {
		v := vector()
		VMOVUPS(Mem{Base: y, Disp: 4 * i}, v)
		VADDPS(Mem{Base: x, Disp: 4 * i}, v, v)
		VMOVUPS(v, Mem{Base: y, Disp: 4 * i})
	}
	ADDQ(U8(64), y)
	ADDQ(U8(64), x)
	SUBQ(U8(16), n)
	JNZ(LabelRef("sixteen"))
	VZEROUPPER()
	RET()
}
