package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// expQ are the coefficients q6 … q0 of kernel.exp.
var expQ = []float64{
	0x1.9e893356d2c09p-16, 0x1.a1855fd0090f7p-13, 0x1.6c18d3328f200p-10, 0x1.1110a25f868ccp-7,
	0x1.5555541e50335p-5, 0x1.5555557dd318cp-3, 0x1.000000005dee8p-1,
}

// constants is the table that the scan reads: each float64 four times over.
type constants struct {
	table Mem
	next  int
	at    map[uint64]int
}

func newConstants(name string) *constants {
	return &constants{table: GLOBL(name, RODATA|NOPTR), at: map[uint64]int{}}
}

func (c *constants) bits(v uint64) Mem {
	at, ok := c.at[v]
	if !ok {
		at = c.next
		c.at[v] = at
		for range 4 {
			DATA(c.next, U64(v))
			c.next += 8
		}
	}
	return c.table.Offset(at)
}

func (c *constants) float(v float64) Mem { return c.bits(math.Float64bits(v)) }

// scanStep generates one token's step of the selective scan for adjacent channels.
func scanStep(k *constants) {
	TEXT("scanStepAVX2", NOSPLIT, "func(h, a, b, c, dt, x *float32, sums *float64, states, channels int)")
	Pragma("noescape")
	Doc("scanStepAVX2 sets sums[i] to what stepGeneric returns for channel i, with h and a [channels, states], b and c [states],",
		"dt and x [channels]. states is a positive multiple of 8, channels is positive.")
	h, a := Load(Param("h"), GP64()), Load(Param("a"), GP64())
	b, c := Load(Param("b"), GP64()), Load(Param("c"), GP64())
	dtPtr, xPtr := Load(Param("dt"), GP64()), Load(Param("x"), GP64())
	sums, states := Load(Param("sums"), GP64()), Load(Param("states"), GP64())
	channels := Load(Param("channels"), GP64())

	Label("channel")
	dt, dtx := YMM(), YMM()
	VBROADCASTSS(Mem{Base: dtPtr}, dt.AsX())
	VCVTPS2PD(dt.AsX(), dt)
	VBROADCASTSS(Mem{Base: xPtr}, dtx.AsX())
	VCVTPS2PD(dtx.AsX(), dtx)
	VMULPD(dt, dtx, dtx)
	lane := [2]VecVirtual{YMM(), YMM()}
	for _, l := range lane {
		VXORPD(l, l, l)
	}
	n := GP64()
	XORQ(n, n)

	Label("states")
	for half, l := range lane {
		at := func(base Register) Mem { return Mem{Base: base, Index: n, Scale: 4, Disp: 16 * half} }
		decay, state, term := YMM(), YMM(), YMM()
		VCVTPS2PD(Mem{Base: a, Disp: 16 * half}, decay)
		VMULPD(dt, decay, decay)
		expPD(k, decay)
		VCVTPS2PD(Mem{Base: h, Disp: 16 * half}, state)
		VMULPD(state, decay, state)
		VCVTPS2PD(at(b), term)
		VMULPD(dtx, term, term)
		VADDPD(term, state, state)
		VCVTPD2PSY(state, state.AsX())
		VMOVUPS(state.AsX(), Mem{Base: h, Disp: 16 * half})
		VCVTPS2PD(state.AsX(), state)
		VCVTPS2PD(at(c), term)
		VMULPD(term, state, state)
		VADDPD(state, l, l)
	}
	ADDQ(U8(32), h)
	ADDQ(U8(32), a)
	ADDQ(U8(8), n)
	CMPQ(n, states)
	JLT(LabelRef("states"))

	// The tree of sum8.
	VADDPD(lane[1], lane[0], lane[0])
	low, high := lane[0].AsX(), XMM()
	VEXTRACTF128(U8(1), lane[0], high)
	VADDPD(high, low, low)
	VPERMILPD(U8(1), low, high)
	VADDSD(high, low, low)
	VMOVSD(low, Mem{Base: sums})
	ADDQ(U8(8), sums)
	ADDQ(U8(4), dtPtr)
	ADDQ(U8(4), xPtr)
	DECQ(channels)
	JNZ(LabelRef("channel"))
	VZEROUPPER()
	RET()
}

// expPD replaces four float64 values by their exponentials, operation for operation as kernel.exp does.
func expPD(k *constants, v VecVirtual) {
	limit := YMM()
	VMOVUPD(k.float(700), limit) // a NaN is kept: MIN and MAX return their last source then
	VMINPD(v, limit, v)
	VMOVUPD(k.float(-700), limit)
	VMAXPD(v, limit, v)

	shifted, n, r := YMM(), YMM(), YMM()
	VMULPD(k.float(1.44269504088896338700), v, shifted)
	VADDPD(k.float(0x1.8p52), shifted, shifted)
	VSUBPD(k.float(0x1.8p52), shifted, n)
	VMULPD(k.float(0x1.62e42fee00000p-1), n, r)
	VSUBPD(r, v, r)
	VMULPD(k.float(0x1.a39ef35793c76p-33), n, n)
	VSUBPD(n, r, r)

	q := YMM()
	VMULPD(k.float(expQ[0]), r, q)
	for i, coefficient := range expQ[1:] {
		if i > 0 {
			VMULPD(r, q, q)
		}
		VADDPD(k.float(coefficient), q, q)
	}
	VMULPD(r, q, q)
	VMULPD(r, q, q)
	VADDPD(r, q, q)
	VADDPD(k.float(1), q, q)

	VPADDQ(k.bits(1023), shifted, shifted) // the integer n stands in the low bits
	VPSLLQ(U8(52), shifted, shifted)
	VMULPD(shifted, q, v)
}
