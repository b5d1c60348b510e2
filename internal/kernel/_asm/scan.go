package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// exp2Q are the coefficients q7 … q0 of kernel.exp2.
var exp2Q = []float64{
	0x1.663487d8abc81p-20, 0x1.00ee071c7c030p-16, 0x1.4306c1165a375p-13, 0x1.5d872975c4ed2p-10,
	0x1.3b2ab7f3b3217p-7, 0x1.c6b08defc25fdp-5, 0x1.ebfbdff7c5a79p-3, 0x1.62e42fef7a78bp-1,
}

const (
	log2e     = 1.44269504088896338700
	roundBias = 0x1.8p52
	expBound  = 700
	exp2Bound = 1000

	nearestInteger = 8 // of VRNDSCALE: to even where two are as near, and without complaint
)

// constants is a table of float64 values for code that works on vectors of them: each value fills a vector.
type constants struct {
	elems int // float64 values in a vector: 4 with AVX2, 8 with AVX-512
	isa   string
	table Mem
	next  int
	at    map[uint64]int
}

func newConstants(isa string, elems int) *constants {
	return &constants{elems: elems, isa: isa, table: GLOBL("constants"+isa, RODATA|NOPTR), at: map[uint64]int{}}
}

// reg returns a new vector.
func (c *constants) reg() VecVirtual {
	if c.elems == 8 {
		return ZMM()
	}
	return YMM()
}

// narrow rounds v to float32 values, which it returns in a register of half the width.
func (c *constants) narrow(v VecVirtual) Register {
	if c.elems == 8 {
		VCVTPD2PS(v, v.AsY())
		return v.AsY()
	}
	VCVTPD2PSY(v, v.AsX())
	return v.AsX()
}

// blend replaces v by yes where a comparison of x with y holds.
func (c *constants) blend(predicate uint8, x VecVirtual, y float64, yes, v VecVirtual) {
	if c.elems == 8 {
		mask := K()
		VCMPPD(U8(predicate), c.float(y), x, mask)
		VMOVAPD(yes, mask, v)
		return
	}
	mask := YMM()
	VCMPPD(U8(predicate), c.float(y), x, mask)
	VBLENDVPD(mask, yes, v, v)
}

func (c *constants) bits(v uint64) Mem {
	at, ok := c.at[v]
	if !ok {
		at = c.next
		c.at[v] = at
		for range c.elems {
			DATA(c.next, U64(v))
			c.next += 8
		}
	}
	return c.table.Offset(at)
}

// list is a table entry of several integers.
func (c *constants) list(values ...uint64) Mem {
	at := c.next
	for _, v := range values {
		DATA(c.next, U64(v))
		c.next += 8
	}
	return c.table.Offset(at)
}

// word is a vector of 32-bit words.
func (c *constants) word(v uint32) Mem { return c.bits(uint64(v)<<32 | uint64(v)) }

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
		decay, state, term, limit := YMM(), YMM(), YMM(), YMM()
		VCVTPS2PD(Mem{Base: a, Disp: 16 * half}, decay)
		VMULPD(k.float(log2e), decay, decay)
		VMULPD(dt, decay, decay)
		VMOVUPD(k.float(-exp2Bound), limit)
		VMAXPD(decay, limit, decay)
		exp2PD(k, decay)
		VCVTPS2PD(Mem{Base: h, Disp: 16 * half}, state)
		VCVTPS2PD(at(b), term)
		VMULPD(dtx, term, term)
		VFMADD213PD(term, decay, state)
		VCVTPD2PSY(state, state.AsX())
		VMOVUPS(state.AsX(), Mem{Base: h, Disp: 16 * half})
		VCVTPS2PD(state.AsX(), state)
		VCVTPS2PD(at(c), term)
		VFMADD231PD(term, state, l)
	}
	ADDQ(U8(32), h)
	ADDQ(U8(32), a)
	ADDQ(U8(8), n)
	CMPQ(n, states)
	JLT(LabelRef("states"))

	VMOVSD(sumTree8(lane), Mem{Base: sums})
	ADDQ(U8(8), sums)
	ADDQ(U8(4), dtPtr)
	ADDQ(U8(4), xPtr)
	DECQ(channels)
	JNZ(LabelRef("channel"))
	VZEROUPPER()
	RET()
}

// expPD replaces float64 values by their exponentials, operation for operation as kernel.exp does.
func expPD(k *constants, v VecVirtual) {
	limit := k.reg()
	VMOVUPD(k.float(expBound), limit) // a NaN is kept: MIN and MAX return their last source then
	VMINPD(v, limit, v)
	VMOVUPD(k.float(-expBound), limit)
	VMAXPD(v, limit, v)
	VMULPD(k.float(log2e), v, v)
	exp2PD(k, v)
}

// exp2PD replaces float64 values by their powers of 2, as kernel.exp2 does.
func exp2PD(k *constants, v VecVirtual) {
	n, r, p := k.reg(), k.reg(), k.reg()
	if k.elems == 8 {
		VRNDSCALEPD(U8(nearestInteger), v, n)
		VSUBPD(n, v, r)
	} else {
		VADDPD(k.float(roundBias), v, n)
		VSUBPD(k.float(roundBias), n, r)
		VSUBPD(r, v, r)
	}
	VMOVUPD(k.float(exp2Q[0]), p)
	for _, coefficient := range exp2Q[1:] {
		VFMADD213PD(k.float(coefficient), r, p)
	}
	VFMADD213PD(k.float(1), r, p)
	if k.elems == 8 {
		VSCALEFPD(n, p, v)
		return
	}
	VPSLLQ(U8(52), n, n)
	VPADDQ(n, p, v)
}
