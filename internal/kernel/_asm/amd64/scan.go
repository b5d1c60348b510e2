package main

import (
	"fmt"
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

// decayQ are the coefficients q5 … q0 of kernel.decay.
var decayQ = []float32{0x1.4308fap-13, 0x1.5f07b4p-10, 0x1.3b2bap-7, 0x1.c6af6ep-5, 0x1.ebfbdep-3, 0x1.62e43p-1}

const (
	log2e     = 1.44269504088896338700
	roundBias = 0x1.8p52
	expBound  = 700

	decayMin, decayMax = -126, 127

	nearestInteger = 8 // of VROUND and VRNDSCALE: to even where two are as near, and without complaint
)

// constants is a table of float64 values for code that works on vectors of them: each value fills a vector.
type constants struct {
	elems int // float64 values in a vector: 4 with AVX2, 8 with AVX-512
	isa   string
	table Mem
	next  int
	at    map[uint64]int
	lists map[string]int
}

func newConstants(isa string, elems int) *constants {
	return namedConstants("constants"+isa, isa, elems)
}

func namedConstants(name, isa string, elems int) *constants {
	return &constants{elems: elems, isa: isa, table: GLOBL(name, RODATA|NOPTR), at: map[uint64]int{}, lists: map[string]int{}}
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
	key := fmt.Sprint(values)
	if at, ok := c.lists[key]; ok {
		return c.table.Offset(at)
	}
	at := c.next
	c.lists[key] = at
	for _, v := range values {
		DATA(c.next, U64(v))
		c.next += 8
	}
	return c.table.Offset(at)
}

// singles is a table entry of 16 float32 values.
func (c *constants) singles(value func(i int) float32) Mem {
	return c.lanes(func(i int) uint32 { return math.Float32bits(value(i)) })
}

// lanes is a table entry of 16 integers of 32 bits.
func (c *constants) lanes(value func(i int) uint32) Mem {
	words := make([]uint64, 8)
	for i := range 16 {
		words[i/2] |= uint64(value(i)) << (i % 2 * 32)
	}
	return c.list(words...)
}

// word is a vector of 32-bit words.
func (c *constants) word(v uint32) Mem { return c.bits(uint64(v)<<32 | uint64(v)) }

// single is a vector of float32 values.
func (c *constants) single(v float32) Mem { return c.word(math.Float32bits(v)) }

func (c *constants) float(v float64) Mem { return c.bits(math.Float64bits(v)) }

// scanLanes is how many lanes the sum over the states of a channel has.
const scanLanes = 4

// scanStep generates one token's step of the selective scan for adjacent channels.
func scanStep(k *constants) {
	TEXT("scanStepAVX2", NOSPLIT, "func(h, rate, b, c, dt, x *float32, sums *float64, states, channels int)")
	Pragma("noescape")
	Doc("scanStepAVX2 sets sums[i] to what stepGeneric returns for channel i, with h and rate [channels, states], b and c",
		"[states], dt and x [channels]. states is a positive multiple of 16, channels is positive.")
	h, rate := Load(Param("h"), GP64()), Load(Param("rate"), GP64())
	b, c := Load(Param("b"), GP64()), Load(Param("c"), GP64())
	dtPtr, xPtr := Load(Param("dt"), GP64()), Load(Param("x"), GP64())
	sums, states := Load(Param("sums"), GP64()), Load(Param("states"), GP64())
	channels := Load(Param("channels"), GP64())

	Label("channel")
	dt, dtx := YMM(), YMM()
	VBROADCASTSS(Mem{Base: dtPtr}, dt)
	VBROADCASTSS(Mem{Base: xPtr}, dtx)
	VMULPS(dt, dtx, dtx)
	lane := XMM()
	VXORPS(lane, lane, lane)
	n := GP64()
	XORQ(n, n)

	Label("states")
	for half := range 2 {
		at := func(base Register) Mem { return Mem{Base: base, Index: n, Scale: 4, Disp: 32 * half} }
		x, state, input := YMM(), YMM(), YMM()
		VMULPS(Mem{Base: rate, Disp: 32 * half}, dt, x)
		scale, high, low := decay(k, x)
		VMULPS(Mem{Base: h, Disp: 32 * half}, scale, state)
		VMULPS(low, state, input)
		VFMADD231PS(at(b), dtx, input)
		VFMADD213PS(input, high, state)
		VMOVUPS(state, Mem{Base: h, Disp: 32 * half})
		VFMADD231PS(at(c), state.AsX(), lane)
		VEXTRACTF128(U8(1), state, state.AsX())
		VFMADD231PS(at(c).Offset(16), state.AsX(), lane)
	}
	ADDQ(U8(64), h)
	ADDQ(U8(64), rate)
	ADDQ(U8(16), n)
	CMPQ(n, states)
	JLT(LabelRef("states"))

	VMOVSD(sum4(lane), Mem{Base: sums})
	ADDQ(U8(8), sums)
	ADDQ(U8(4), dtPtr)
	ADDQ(U8(4), xPtr)
	DECQ(channels)
	JNZ(LabelRef("channel"))
	VZEROUPPER()
	RET()
}

// sum4 adds 4 lanes in float64 as the tree of kernel.sum4.
func sum4(lane VecVirtual) Register {
	wide := YMM()
	VCVTPS2PD(lane, wide)
	low, high := wide.AsX(), XMM()
	VEXTRACTF128(U8(1), wide, high)
	VADDPD(high, low, low)
	VPERMILPD(U8(1), low, high)
	VADDSD(high, low, low)
	return low
}

// decay splits powers of 2 as kernel.decay does. It leaves anything in x.
func decay(k *constants, x VecVirtual) (scale, high, low VecVirtual) {
	limit, e := YMM(), YMM()
	VMOVUPS(k.single(decayMin), limit) // a NaN is kept: MAX and MIN return their last source then
	VMAXPS(x, limit, x)
	VMOVUPS(k.single(decayMax), limit)
	VMINPS(x, limit, x)
	VROUNDPS(U8(nearestInteger), x, e)
	VSUBPS(e, x, x)
	VCVTPS2DQ(e, e)
	VPADDD(k.word(127), e, e)
	VPSLLD(U8(23), e, e)
	high, low = onePlus(k, x)
	return e, high, low
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
