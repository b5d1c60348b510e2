package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// atanhQ are the coefficients q5 … q0 of kernel.softplus.
var atanhQ = []float64{
	0.108961963033149925, 0.0857392561048420531, 0.111507500641509254,
	0.142841980465246941, 0.200000265001264825, 0.333333331795654126,
}

const signBit = 1 << 63

// multiple spells the number of elements in a vector, with a full stop.
func (k *constants) multiple() string { return fmt.Sprintf("%d.", k.elems) }

// forVectors generates a loop over n elements, a vector at a time: body sees the index of the first in a register.
func (k *constants) forVectors(n Register, body func(i Register)) {
	i := GP64()
	XORQ(i, i)
	Label("vector")
	body(i)
	ADDQ(U8(k.elems), i)
	CMPQ(i, n)
	JLT(LabelRef("vector"))
	VZEROUPPER()
	RET()
}

// load widens float32 values from base + 4·i on.
func (k *constants) load(base, i Register) VecVirtual {
	v := k.reg()
	VCVTPS2PD(Mem{Base: base, Index: i, Scale: 4}, v)
	return v
}

// store rounds v to float32 values from base + 4·i on.
func (k *constants) store(v VecVirtual, base, i Register) {
	VMOVUPS(k.narrow(v), Mem{Base: base, Index: i, Scale: 4})
}

// siluPD returns v / (1 + exp(-v)), as kernel.silu does.
func siluPD(k *constants, v VecVirtual) VecVirtual {
	e := k.reg()
	VXORPD(k.bits(signBit), v, e)
	expPD(k, e)
	VADDPD(k.float(1), e, e)
	VDIVPD(e, v, e)
	return e
}

func negExp(k *constants) {
	TEXT("negExp"+k.isa, NOSPLIT, "func(a, aLog *float32, n int)")
	Pragma("noescape")
	Doc("negExp" + k.isa + " sets a[i] to -exp(aLog[i]) for i < n, as NegExp does. n is a positive multiple of " + k.multiple())
	a, aLog, n := Load(Param("a"), GP64()), Load(Param("aLog"), GP64()), Load(Param("n"), GP64())
	k.forVectors(n, func(i Register) {
		v := k.load(aLog, i)
		expPD(k, v)
		VXORPD(k.bits(signBit), v, v)
		k.store(v, a, i)
	})
}

func softplus(k *constants) {
	TEXT("softplus"+k.isa, NOSPLIT, "func(dt, bias *float32, n int)")
	Pragma("noescape")
	Doc("softplus" + k.isa + " sets dt[i] to softplus(dt[i] + bias[i]) for i < n, as softplusRowGeneric does. n is a positive multiple of " + k.multiple())
	dt, bias, n := Load(Param("dt"), GP64()), Load(Param("bias"), GP64()), Load(Param("n"), GP64())
	k.forVectors(n, func(i Register) {
		x := k.load(dt, i)
		VADDPD(k.load(bias, i), x, x)

		u := k.reg() // exp(-|x|)
		VORPD(k.bits(signBit), x, u)
		expPD(k, u)
		s, z := k.reg(), k.reg()
		VADDPD(k.float(2), u, s)
		VDIVPD(s, u, s)
		VMULPD(s, s, z)
		q := k.reg()
		VMULPD(k.float(atanhQ[0]), z, q)
		for j, coefficient := range atanhQ[1:] {
			if j > 0 {
				VMULPD(z, q, q)
			}
			VADDPD(k.float(coefficient), q, q)
		}
		VMULPD(z, q, q)
		VMULPD(s, q, q)
		VADDPD(s, q, q)
		VADDPD(q, q, q)

		// x itself where x > 20 or NaN; x + l where x > 0; l elsewhere.
		sum := k.reg()
		VADDPD(q, x, sum)
		k.blend(0x1e, x, 0, sum, q) // x > 0
		k.blend(0x16, x, 20, x, q)  // not x <= 20
		k.store(q, dt, i)
	})
}

func gate(k *constants) {
	TEXT("gate"+k.isa, NOSPLIT, "func(y *float32, sums *float64, d, x, z *float32, n int)")
	Pragma("noescape")
	Doc("gate" + k.isa + " sets y[i] to (sums[i] + d[i]·x[i]) · silu(z[i]) for i < n, as gateGeneric does. n is a positive multiple of " + k.multiple())
	y, sums := Load(Param("y"), GP64()), Load(Param("sums"), GP64())
	d, x, z := Load(Param("d"), GP64()), Load(Param("x"), GP64()), Load(Param("z"), GP64())
	n := Load(Param("n"), GP64())
	k.forVectors(n, func(i Register) {
		v := k.load(d, i)
		VMULPD(k.load(x, i), v, v)
		VADDPD(Mem{Base: sums, Index: i, Scale: 8}, v, v)
		VMULPD(siluPD(k, k.load(z, i)), v, v)
		k.store(v, y, i)
	})
}

func conv(k *constants) {
	TEXT("conv"+k.isa, NOSPLIT, "func(out *float32, rows *[]float32, taps *float32, tapStride int, bias *float32, k, n int)")
	Pragma("noescape")
	Doc("conv"+k.isa+" sets out[c] to silu(bias[c] + Σ_i taps[i·tapStride + c]·rows[i][c]) for c < n, as convRowGeneric does.",
		"k, the number of rows, is positive and n a positive multiple of "+k.multiple())
	out, rows := Load(Param("out"), GP64()), Load(Param("rows"), GP64())
	taps, stride := Load(Param("taps"), GP64()), Load(Param("tapStride"), GP64())
	bias, count, n := Load(Param("bias"), GP64()), Load(Param("k"), GP64()), Load(Param("n"), GP64())
	SHLQ(U8(2), stride)
	k.forVectors(n, func(c Register) {
		sum := k.load(bias, c)
		row, tap, left := GP64(), GP64(), GP64()
		MOVQ(rows, row)
		MOVQ(taps, tap)
		MOVQ(count, left)
		Label("tap")
		data := GP64()
		MOVQ(Mem{Base: row}, data) // a slice begins with its pointer
		term := k.load(tap, c)
		VMULPD(k.load(data, c), term, term)
		VADDPD(term, sum, sum)
		ADDQ(U8(24), row)
		ADDQ(stride, tap)
		DECQ(left)
		JNZ(LabelRef("tap"))
		k.store(siluPD(k, sum), out, c)
	})
}
