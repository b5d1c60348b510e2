package main

import (
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

// forFour generates a loop over n elements, four at a time: body sees the index of the first in a register.
func forFour(n Register, body func(i Register)) {
	i := GP64()
	XORQ(i, i)
	Label("four")
	body(i)
	ADDQ(U8(4), i)
	CMPQ(i, n)
	JLT(LabelRef("four"))
	VZEROUPPER()
	RET()
}

// load widens four float32 at base + 4·i.
func load(base, i Register) VecVirtual {
	v := YMM()
	VCVTPS2PD(Mem{Base: base, Index: i, Scale: 4}, v)
	return v
}

// store rounds four float64 to float32 at base + 4·i.
func store(v VecVirtual, base, i Register) {
	VCVTPD2PSY(v, v.AsX())
	VMOVUPS(v.AsX(), Mem{Base: base, Index: i, Scale: 4})
}

// siluPD returns v / (1 + exp(-v)), as kernel.silu does.
func siluPD(k *constants, v VecVirtual) VecVirtual {
	e := YMM()
	VXORPD(k.bits(signBit), v, e)
	expPD(k, e)
	VADDPD(k.float(1), e, e)
	VDIVPD(e, v, e)
	return e
}

func negExp(k *constants) {
	TEXT("negExpAVX2", NOSPLIT, "func(a, aLog *float32, n int)")
	Pragma("noescape")
	Doc("negExpAVX2 sets a[i] to -exp(aLog[i]) for i < n, as NegExp does. n is a positive multiple of 4.")
	a, aLog, n := Load(Param("a"), GP64()), Load(Param("aLog"), GP64()), Load(Param("n"), GP64())
	forFour(n, func(i Register) {
		v := load(aLog, i)
		expPD(k, v)
		VXORPD(k.bits(signBit), v, v)
		store(v, a, i)
	})
}

func softplus(k *constants) {
	TEXT("softplusAVX2", NOSPLIT, "func(dt, bias *float32, n int)")
	Pragma("noescape")
	Doc("softplusAVX2 sets dt[i] to softplus(dt[i] + bias[i]) for i < n, as softplusRowGeneric does. n is a positive multiple of 4.")
	dt, bias, n := Load(Param("dt"), GP64()), Load(Param("bias"), GP64()), Load(Param("n"), GP64())
	forFour(n, func(i Register) {
		x := load(dt, i)
		VADDPD(load(bias, i), x, x)

		u := YMM() // exp(-|x|)
		VORPD(k.bits(signBit), x, u)
		expPD(k, u)
		s, z := YMM(), YMM()
		VADDPD(k.float(2), u, s)
		VDIVPD(s, u, s)
		VMULPD(s, s, z)
		q := YMM()
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
		zero, mask, sum := YMM(), YMM(), YMM()
		VXORPD(zero, zero, zero)
		VADDPD(q, x, sum)
		VCMPPD(U8(0x1e), zero, x, mask) // x > 0
		VBLENDVPD(mask, sum, q, q)
		twenty := YMM()
		VMOVUPD(k.float(20), twenty)
		VCMPPD(U8(0x16), twenty, x, mask) // not x <= 20
		VBLENDVPD(mask, x, q, q)
		store(q, dt, i)
	})
}

func gate(k *constants) {
	TEXT("gateAVX2", NOSPLIT, "func(y *float32, sums *float64, d, x, z *float32, n int)")
	Pragma("noescape")
	Doc("gateAVX2 sets y[i] to (sums[i] + d[i]·x[i]) · silu(z[i]) for i < n, as gateGeneric does. n is a positive multiple of 4.")
	y, sums := Load(Param("y"), GP64()), Load(Param("sums"), GP64())
	d, x, z := Load(Param("d"), GP64()), Load(Param("x"), GP64()), Load(Param("z"), GP64())
	n := Load(Param("n"), GP64())
	forFour(n, func(i Register) {
		v := load(d, i)
		VMULPD(load(x, i), v, v)
		VADDPD(Mem{Base: sums, Index: i, Scale: 8}, v, v)
		VMULPD(siluPD(k, load(z, i)), v, v)
		store(v, y, i)
	})
}

func conv(k *constants) {
	TEXT("convAVX2", NOSPLIT, "func(out *float32, rows *[]float32, taps *float32, tapStride int, bias *float32, k, n int)")
	Pragma("noescape")
	Doc("convAVX2 sets out[c] to silu(bias[c] + Σ_i taps[i·tapStride + c]·rows[i][c]) for c < n, as convRowGeneric does.",
		"k, the number of rows, is positive and n a positive multiple of 4.")
	out, rows := Load(Param("out"), GP64()), Load(Param("rows"), GP64())
	taps, stride := Load(Param("taps"), GP64()), Load(Param("tapStride"), GP64())
	bias, count, n := Load(Param("bias"), GP64()), Load(Param("k"), GP64()), Load(Param("n"), GP64())
	SHLQ(U8(2), stride)
	forFour(n, func(c Register) {
		sum := load(bias, c)
		row, tap, left := GP64(), GP64(), GP64()
		MOVQ(rows, row)
		MOVQ(taps, tap)
		MOVQ(count, left)
		Label("tap")
		data := GP64()
		MOVQ(Mem{Base: row}, data) // a slice begins with its pointer
		term := load(tap, c)
		VMULPD(load(data, c), term, term)
		VADDPD(term, sum, sum)
		ADDQ(U8(24), row)
		ADDQ(stride, tap)
		DECQ(left)
		JNZ(LabelRef("tap"))
		store(siluPD(k, sum), out, c)
	})
}
