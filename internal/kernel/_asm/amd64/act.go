package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const signBit = 1 << 63

// multiple spells the number of elements in a vector, with a full stop.
func (k *constants) multiple() string { return fmt.Sprintf("%d.", k.elems) }

// forVectors generates a loop over n elements, a vector at a time: body sees the index of the first in a register.
func (k *constants) forVectors(n Register, body func(i Register)) { forEach(n, k.elems, body) }

// forEach generates a loop over n elements, step at a time.
func forEach(n Register, step int, body func(i Register)) {
	i := GP64()
	XORQ(i, i)
	Label("vector")
	body(i)
	ADDQ(U8(step), i)
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
