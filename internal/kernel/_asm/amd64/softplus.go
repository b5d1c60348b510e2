package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	log2eHigh   = 0x1.715476p0
	log2eLow    = 0x1.4ae0cp-26
	softplusMin = -104
	softplusMax = 20
)

// log1pQ are the coefficients q8 … q0 of kernel.softplusOfSum.
var log1pQ = []float32{
	0x1.b2f592p-9, -0x1.4b083cp-6, 0x1.d8632ap-5, -0x1.b579c6p-4, 0x1.3a7a82p-3,
	-0x1.935cap-3, 0x1.ff26e2p-3, -0x1.554dfp-2, 0x1.ffffd2p-2,
}

// Predicates of comparisons, none of which complains of a NaN.
const (
	lessThan    = 0x11
	greaterThan = 0x1e
	notAtMost   = 0x16
)

// softplus generates softplus of sums, a vector of float32 values at a time, operation for operation as
// kernel.softplusOfSum does.
func softplus(k *constants) {
	TEXT("softplus"+k.isa, NOSPLIT, "func(dt, bias *float32, n int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("softplus%s sets dt[i] to softplus(dt[i] + bias[i]) for i < n, as softplusRowGeneric does. n is a positive multiple of %d.",
		k.isa, 2*k.elems))
	dt, bias, n := Load(Param("dt"), GP64()), Load(Param("bias"), GP64()), Load(Param("n"), GP64())
	forEach(n, 2*k.elems, func(i Register) {
		a, b, x, low, part := k.reg(), k.reg(), k.reg(), k.reg(), k.reg()
		VMOVUPS(Mem{Base: dt, Index: i, Scale: 4}, a)
		VMOVUPS(Mem{Base: bias, Index: i, Scale: 4}, b)
		VADDPS(b, a, x)
		VSUBPS(a, x, part)
		VSUBPS(part, x, low)
		VSUBPS(low, a, low)
		VSUBPS(part, b, part)
		VADDPS(part, low, low)

		w, wLow, limit := a, b, part
		VORPS(k.word(1<<31), x, w)
		VANDNPS(k.word(1<<31), x, wLow) // the sign that -|x| has and x has not
		VXORPS(wLow, low, wLow)
		VMOVUPS(k.single(softplusMin), limit)
		k.clearWhere(lessThan, w, limit, wLow)
		VMAXPS(w, limit, w)

		e, r := k.reg(), part
		VMULPS(k.single(log2eHigh), w, e)
		k.round(e)
		VMOVAPS(e, r)
		VFMSUB231PS(k.single(log2eHigh), w, r)
		VFMADD231PS(k.single(log2eLow), w, r)
		VFMADD231PS(k.single(log2eHigh), wLow, r)
		u, uLow := onePlus(k, r)
		k.scale(e, u, uLow)

		q := k.polynomial(log1pQ, u)
		VMULPS(u, q, q)
		VFNMADD213PS(uLow, u, q)
		VADDPS(q, u, u)

		// x itself if it is above 20 or NaN; x + (u + low) if it is positive; u otherwise.
		VADDPS(low, u, low)
		VADDPS(x, low, low)
		zero := k.reg()
		VXORPS(zero, zero, zero)
		k.choose(greaterThan, x, zero, low, u)
		VMOVUPS(k.single(softplusMax), limit)
		k.choose(notAtMost, x, limit, x, u)
		VMOVUPS(u, Mem{Base: dt, Index: i, Scale: 4})
	})
}

// onePlus returns 2^r as the exact sum of two, as kernel.onePlus does. It leaves anything in r.
func onePlus(k *constants, r VecVirtual) (high, low VecVirtual) {
	high, low = k.reg(), k.polynomial(decayQ, r)
	VMULPS(r, low, low)
	VADDPS(k.single(1), low, high)
	VSUBPS(k.single(1), high, r)
	VSUBPS(r, low, low)
	return high, low
}

// polynomial evaluates a polynomial by Horner's rule with fused multiply-adds.
func (k *constants) polynomial(coefficients []float32, x VecVirtual) VecVirtual {
	q := k.reg()
	VMOVUPS(k.single(coefficients[0]), q)
	for _, c := range coefficients[1:] {
		VFMADD213PS(k.single(c), x, q)
	}
	return q
}

// round rounds float32 values to integers.
func (k *constants) round(v VecVirtual) {
	if k.elems == 8 {
		VRNDSCALEPS(U8(nearestInteger), v, v)
		return
	}
	VROUNDPS(U8(nearestInteger), v, v)
}

// scale multiplies float32 values near 1 by 2^e, -252 ≤ e ≤ 0, rounding once. It leaves anything in e.
func (k *constants) scale(e VecVirtual, values ...VecVirtual) {
	if k.elems == 8 {
		for _, v := range values {
			VSCALEFPS(e, v, v)
		}
		return
	}
	// By half of the exponent twice: the first product is normal, and so exact.
	half := k.reg()
	VCVTPS2DQ(e, e)
	VPSRAD(U8(1), e, half)
	VPSUBD(half, e, e)
	for _, h := range []VecVirtual{half, e} {
		VPADDD(k.word(127), h, h)
		VPSLLD(U8(23), h, h)
		for _, v := range values {
			VMULPS(h, v, v)
		}
	}
}

// choose replaces v by yes where a comparison of x with y holds.
func (k *constants) choose(predicate uint8, x, y, yes, v VecVirtual) {
	if k.elems == 8 {
		mask := K()
		VCMPPS(U8(predicate), y, x, mask)
		VMOVAPS(yes, mask, v)
		return
	}
	mask := k.reg()
	VCMPPS(U8(predicate), y, x, mask)
	VBLENDVPS(mask, yes, v, v)
}

// clearWhere replaces v by 0 where a comparison of x with y holds.
func (k *constants) clearWhere(predicate uint8, x, y, v VecVirtual) {
	zero := k.reg()
	VXORPS(zero, zero, zero)
	k.choose(predicate, x, y, zero, v)
}
