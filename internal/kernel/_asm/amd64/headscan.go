package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// headStep generates one token's step of the recurrence of Mamba-2 for adjacent channels of one head, some at once, so
// that they share what is read of b and c.
func headStep(at int) {
	name := fmt.Sprintf("stepHead%sAVX2", []string{1: "One", 2: "Two"}[at])
	TEXT(name, NOSPLIT, "func(sums *float64, h *float32, dt float64, high, low float32, x, b, c *float32, states, rounds int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s does what stepHeadGeneric does for %d·rounds channels.", name, at),
		"states is a positive multiple of 16, rounds is positive.")
	sums, h := Load(Param("sums"), GP64()), Load(Param("h"), GP64())
	dt, high, low := XMM(), YMM(), YMM()
	VMOVSD(paramMem("dt"), dt)
	VBROADCASTSS(paramMem("high"), high)
	VBROADCASTSS(paramMem("low"), low)
	x, b, c := Load(Param("x"), GP64()), Load(Param("b"), GP64()), Load(Param("c"), GP64())
	states, rounds := Load(Param("states"), GP64()), Load(Param("rounds"), GP64())

	Label("channels")
	rows := rowPointers(h, states, at, 4)
	dtx, acc := make([]VecVirtual, at), accumulators(at)
	for i := range at {
		dtx[i] = YMM()
		one := dtx[i].AsX()
		VMOVSS(Mem{Base: x, Disp: 4 * i}, one)
		VCVTSS2SD(one, one, one)
		VMULSD(dt, one, one)
		VCVTSD2SS(one, one, one)
		VBROADCASTSS(one, dtx[i])
	}
	n := GP64()
	XORQ(n, n)

	Label("states")
	for half := range 2 {
		eight := func(base Register) Mem { return Mem{Base: base, Index: n, Scale: 4, Disp: 32 * half} }
		in, out := YMM(), YMM()
		VMOVUPS(eight(b), in)
		VMOVUPS(eight(c), out)
		for i, row := range rows {
			state, input := YMM(), YMM()
			VMOVUPS(eight(row), state)
			VMULPS(low, state, input)
			VFMADD231PS(in, dtx[i], input)
			VFMADD213PS(input, high, state)
			VMOVUPS(state, eight(row))
			VFMADD231PS(out, state, acc[i][half])
		}
	}
	ADDQ(U8(16), n)
	CMPQ(n, states)
	JLT(LabelRef("states"))

	for i := range at {
		VMOVSD(sumLanes64(acc[i]), Mem{Base: sums, Disp: 8 * i})
	}
	ADDQ(U8(8*at), sums)
	ADDQ(U8(4*at), x)
	LEAQ(Mem{Base: rows[at-1], Index: states, Scale: 4}, h)
	DECQ(rounds)
	JNZ(LabelRef("channels"))
	VZEROUPPER()
	RET()
}

// paramMem is where a parameter lies.
func paramMem(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}
