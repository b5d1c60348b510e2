package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// headStep generates one token's step of the recurrence of Mamba-2 for adjacent channels of one head, some at once, so
// that they share what is read of b and c. Four at once in AVX-512 measured no faster.
func headStep(at int) {
	name := fmt.Sprintf("headStep%sAVX2", []string{1: "One", 2: "Two"}[at])
	TEXT(name, NOSPLIT, "func(sums *float64, h *float32, decay, dt float64, x, b, c *float32, states, rounds int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s does what headStepsGeneric does for %d·rounds channels.", name, at),
		"states is a positive multiple of 8, rounds is positive.")
	sums, h := Load(Param("sums"), GP64()), Load(Param("h"), GP64())
	decay, dt := YMM(), YMM()
	VBROADCASTSD(paramMem("decay"), decay)
	VBROADCASTSD(paramMem("dt"), dt)
	x, b, c := Load(Param("x"), GP64()), Load(Param("b"), GP64()), Load(Param("c"), GP64())
	states, rounds := Load(Param("states"), GP64()), Load(Param("rounds"), GP64())

	Label("channels")
	rows := rowPointers(h, states, at, 4)
	dtx, lane := make([]VecVirtual, at), make([][2]VecVirtual, at)
	for i := range at {
		dtx[i] = YMM()
		VBROADCASTSS(Mem{Base: x, Disp: 4 * i}, dtx[i].AsX())
		VCVTPS2PD(dtx[i].AsX(), dtx[i])
		VMULPD(dt, dtx[i], dtx[i])
		lane[i] = [2]VecVirtual{YMM(), YMM()}
		for _, l := range lane[i] {
			VXORPD(l, l, l)
		}
	}
	n := GP64()
	XORQ(n, n)

	Label("states")
	for half := range 2 {
		four := func(base Register) Mem { return Mem{Base: base, Index: n, Scale: 4, Disp: 16 * half} }
		in, out := YMM(), YMM()
		VCVTPS2PD(four(b), in)
		VCVTPS2PD(four(c), out)
		for i, row := range rows {
			state, term := YMM(), YMM()
			VCVTPS2PD(four(row), state)
			VMULPD(in, dtx[i], term)
			VFMADD213PD(term, decay, state)
			VFMADD231PD(out, state, lane[i][half])
			VCVTPD2PSY(state, state.AsX())
			VMOVUPS(state.AsX(), four(row))
		}
	}
	ADDQ(U8(8), n)
	CMPQ(n, states)
	JLT(LabelRef("states"))

	for i := range at {
		VMOVSD(sumTree8(lane[i]), Mem{Base: sums, Disp: 8 * i})
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

// sumTree8 adds 8 lanes of float64 as the tree of kernel.sum8.
func sumTree8(lane [2]VecVirtual) Register {
	VADDPD(lane[1], lane[0], lane[0])
	low, high := lane[0].AsX(), XMM()
	VEXTRACTF128(U8(1), lane[0], high)
	VADDPD(high, low, low)
	VPERMILPD(U8(1), low, high)
	VADDSD(high, low, low)
	return low
}
