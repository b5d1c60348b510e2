package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sinQ and cosQ are the coefficients q5 … q0 of kernel.sincos.
var (
	sinQ = []float64{1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6}
	cosQ = []float64{1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -1.0 / 2}
)

const floor = 9 // of VROUND and VRNDSCALE: down, and without complaint

// turn generates the angles of Mamba-3: they move on, and their sines and cosines.
func turn(k *constants) {
	TEXT("turn"+k.isa, NOSPLIT, "func(angles, rates, low *float32, dt float64, cos, sin *float64, n int)")
	Pragma("noescape")
	Doc("turn"+k.isa+" moves angles[i] on by (rates[i] + low[i])·dt and sets cos[i] and sin[i] for i < n, as turnGeneric does.",
		"n is a positive multiple of "+k.multiple())
	angles, rates, low := Load(Param("angles"), GP64()), Load(Param("rates"), GP64()), Load(Param("low"), GP64())
	dt := k.reg()
	VBROADCASTSD(paramMem("dt"), dt)
	cos, sin, n := Load(Param("cos"), GP64()), Load(Param("sin"), GP64()), Load(Param("n"), GP64())
	k.forVectors(n, func(i Register) {
		x, turns := k.load(rates, i), k.reg()
		VADDPD(k.load(low, i), x, x)
		VMULPD(dt, x, x)
		VADDPD(k.load(angles, i), x, x)
		VMULPD(k.float(1/(2*math.Pi)), x, turns)
		if k.elems == 8 {
			VRNDSCALEPD(U8(floor), turns, turns)
		} else {
			VROUNDPD(U8(floor), turns, turns)
		}
		VMULPD(k.float(2*math.Pi), turns, turns)
		VSUBPD(turns, x, x)
		k.store(x, angles, i)
		s, c := sincosPD(k, k.load(angles, i))
		VMOVUPD(c, Mem{Base: cos, Index: i, Scale: 8})
		VMOVUPD(s, Mem{Base: sin, Index: i, Scale: 8})
	})
}

// sincosPD returns sines and cosines, operation for operation as kernel.sincos does. It leaves anything in x.
func sincosPD(k *constants, x VecVirtual) (sin, cos VecVirtual) {
	quarter, whole, z, zr := k.reg(), k.reg(), k.reg(), k.reg()
	VMULPD(k.float(2/math.Pi), x, quarter)
	VADDPD(k.float(roundBias), quarter, quarter)
	VSUBPD(k.float(roundBias), quarter, whole)
	VFNMADD231PD(k.float(math.Pi/2), whole, x)
	VMULPD(x, x, z)
	horner := func(coefficients []float64) VecVirtual {
		q := k.reg()
		VMOVUPD(k.float(coefficients[0]), q)
		for _, c := range coefficients[1:] {
			VFMADD213PD(k.float(c), z, q)
		}
		return q
	}
	s, c := horner(sinQ), horner(cosQ)
	VMULPD(x, z, zr)
	VFMADD213PD(x, zr, s)
	VFMADD213PD(k.float(1), z, c)

	// In odd quarters they change places; the sine is negative in the second half, the cosine in the second and third quarter.
	sin, cos = k.reg(), k.reg()
	sign := k.reg()
	if k.elems == 8 {
		odd := K()
		VPTESTMQ(k.bits(1), quarter, odd)
		VMOVAPD(s, sin)
		VMOVAPD(c, odd, sin)
		VMOVAPD(c, cos)
		VMOVAPD(s, odd, cos)
	} else {
		odd := k.reg()
		VPSLLQ(U8(63), quarter, odd)
		VBLENDVPD(odd, c, s, sin)
		VBLENDVPD(odd, s, c, cos)
	}
	for i, v := range []VecVirtual{sin, cos} {
		if i > 0 {
			VPADDQ(k.bits(1), quarter, quarter)
		}
		VPSRLQ(U8(1), quarter, sign)
		VPSLLQ(U8(63), sign, sign)
		VXORPD(sign, v, v)
	}
	return sin, cos
}

// loadBiased returns x + bias in float64, disp bytes from index i on.
func (k *constants) loadBiased(x, bias, i Register, scale uint8, disp int) VecVirtual {
	v, b := k.reg(), k.reg()
	VCVTPS2PD(Mem{Base: x, Index: i, Scale: scale, Disp: disp}, v)
	VCVTPS2PD(Mem{Base: bias, Index: i, Scale: scale, Disp: disp}, b)
	VADDPD(b, v, v)
	return v
}

// rotatePD turns pairs, as kernel.rotated does.
func rotatePD(k *constants, p, q, cos, sin VecVirtual) (VecVirtual, VecVirtual) {
	a, b := k.reg(), k.reg()
	VMULPD(cos, p, a)
	VMULPD(sin, q, b)
	VSUBPD(b, a, a)
	VMULPD(sin, p, p)
	VMULPD(cos, q, q)
	VADDPD(q, p, p)
	return a, p
}

// rotateNeighbours generates the turning of pairs of neighbours. Those of two vectors are taken apart as the processor does it
// fastest, which leaves their pairs in another order; cosines and sines are brought into the same.
func rotateNeighbours(k *constants) {
	TEXT("rotateNeighbours"+k.isa, NOSPLIT, "func(y, x, bias *float32, cos, sin *float64, n int)")
	Pragma("noescape")
	Doc("rotateNeighbours" + k.isa + " does what rotateNeighboursGeneric does for n pairs. n is a positive multiple of " + k.multiple())
	y, x, bias := Load(Param("y"), GP64()), Load(Param("x"), GP64()), Load(Param("bias"), GP64())
	cos, sin, n := Load(Param("cos"), GP64()), Load(Param("sin"), GP64()), Load(Param("n"), GP64())
	order := k.reg()
	if k.elems == 8 {
		VMOVDQU64(k.list(0, 4, 1, 5, 2, 6, 3, 7), order)
	}
	ordered := func(m Mem) VecVirtual {
		v := k.reg()
		if k.elems == 8 {
			VPERMPD(m, order, v)
		} else {
			VPERMPD(U8(0xd8), m, v) // 0, 2, 1, 3
		}
		return v
	}
	k.forVectors(n, func(i Register) {
		low, high := k.loadBiased(x, bias, i, 8, 0), k.loadBiased(x, bias, i, 8, 4*k.elems)
		p, q := k.reg(), k.reg()
		VUNPCKLPD(high, low, p)
		VUNPCKHPD(high, low, q)
		a, b := rotatePD(k, p, q, ordered(Mem{Base: cos, Index: i, Scale: 8}), ordered(Mem{Base: sin, Index: i, Scale: 8}))
		VUNPCKLPD(b, a, low)
		VUNPCKHPD(b, a, high)
		VMOVUPS(k.narrow(low), Mem{Base: y, Index: i, Scale: 8})
		VMOVUPS(k.narrow(high), Mem{Base: y, Index: i, Scale: 8, Disp: 4 * k.elems})
	})
}

// rotateHalves generates the turning of pairs that are half of a row apart.
func rotateHalves(k *constants) {
	TEXT("rotateHalves"+k.isa, NOSPLIT, "func(y, x, bias *float32, cos, sin *float64, half, n int)")
	Pragma("noescape")
	Doc("rotateHalves" + k.isa + " does what rotateHalvesGeneric does for n pairs. n is a positive multiple of " + k.multiple())
	y, x, bias := Load(Param("y"), GP64()), Load(Param("x"), GP64()), Load(Param("bias"), GP64())
	cos, sin := Load(Param("cos"), GP64()), Load(Param("sin"), GP64())
	half, n := Load(Param("half"), GP64()), Load(Param("n"), GP64())
	second := rowPointers(x, half, 2, 4)[1]
	bias2, y2 := rowPointers(bias, half, 2, 4)[1], rowPointers(y, half, 2, 4)[1]
	k.forVectors(n, func(i Register) {
		p, q := k.loadBiased(x, bias, i, 4, 0), k.loadBiased(second, bias2, i, 4, 0)
		c, s := k.reg(), k.reg()
		VMOVUPD(Mem{Base: cos, Index: i, Scale: 8}, c)
		VMOVUPD(Mem{Base: sin, Index: i, Scale: 8}, s)
		a, b := rotatePD(k, p, q, c, s)
		k.store(a, y, i)
		k.store(b, y2, i)
	})
}
