package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// scanChannels is how many channels scanBlock steps side by side: their states stay in registers.
const scanChannels = 8

// scanBlock generates the selective scan of 8 channels with 16 states each over some tokens.
func scanBlock(k *constants) {
	TEXT("scanBlockAVX512", 0, // its frame is larger than what NOSPLIT allows
		"func(h, rate, dt, x, b, c *float32, sums *float64, tokens, dtStride, xStride, bStride, cStride, sumStride int)")
	Pragma("noescape")
	Doc("scanBlockAVX512 moves the states h [8, 16] of 8 channels over some tokens, as stepGeneric does, and sets",
		"sums[t·sumStride + i] to what it returns for channel i and token t. rate is [8, 16], b and c [tokens, 16] and dt and x",
		"[tokens, 8] with rows bStride, cStride, dtStride and xStride elements apart. tokens is positive.")
	local := GP64() // aligned for loads and stores of whole lines
	LEAQ(AllocLocal(64*(scanChannels+1)+64).Offset(63), local)
	ANDQ(I32(-64), local)
	products := Mem{Base: local}                 // h·c of each channel
	inputs := products.Offset(64 * scanChannels) // dt·x of each channel

	h := Load(Param("h"), GP64())
	var state [scanChannels]VecVirtual
	for i := range state {
		state[i] = ZMM()
		VMOVUPS(Mem{Base: h, Disp: 64 * i}, state[i])
	}
	d := newDecayWide(k)
	rate := Load(Param("rate"), GP64())
	rows := make(map[string]Register)
	for _, name := range []string{"dt", "x", "b", "c"} {
		rows[name] = Load(Param(name), GP64())
		rows[name+"Stride"] = Load(Param(name+"Stride"), GP64())
	}
	sums, sumStride := Load(Param("sums"), GP64()), Load(Param("sumStride"), GP64())
	tokens := Load(Param("tokens"), GP64())

	Label("token")
	dtx := YMM()
	VMOVUPS(Mem{Base: rows["dt"]}, dtx)
	VMULPS(Mem{Base: rows["x"]}, dtx, dtx)
	VMOVUPS(dtx, inputs)
	for from := 0; from < scanChannels; from += abreast {
		var decay [abreast]VecVirtual
		each := func(f func(i int)) {
			for i := range abreast {
				f(i)
			}
		}
		each(func(i int) {
			decay[i] = ZMM()
			VMOVUPS(Mem{Base: rate, Disp: 64 * (from + i)}, decay[i])
			VMULPS_BCST(Mem{Base: rows["dt"], Disp: 4 * (from + i)}, decay[i], decay[i])
		})
		high, low := d.decay(decay[:], state[from:])
		b, c := ZMM(), ZMM()
		VMOVUPS(Mem{Base: rows["b"]}, b)
		VMOVUPS(Mem{Base: rows["c"]}, c)
		each(func(i int) { VMULPS_BCST(inputs.Offset(4*(from+i)), b, decay[i]) })
		each(func(i int) { VFMADD231PS(low[i], state[from+i], decay[i]) })
		each(func(i int) { VFMADD213PS(decay[i], high[i], state[from+i]) })
		each(func(i int) {
			VMULPS(c, state[from+i], decay[i])
			VMOVAPS(decay[i], products.Offset(64*(from+i)))
		})
	}
	VMOVUPD(sumEightFolded(func(i int) VecVirtual { return foldMem(products.Offset(64 * i)) }), Mem{Base: sums})
	LEAQ(Mem{Base: sums, Index: sumStride, Scale: 8}, sums)
	for _, name := range []string{"dt", "x", "b", "c"} {
		LEAQ(Mem{Base: rows[name], Index: rows[name+"Stride"], Scale: 4}, rows[name])
	}
	DECQ(tokens)
	JNZ(LabelRef("token"))

	h = Load(Param("h"), GP64())
	for i := range state {
		VMOVUPS(state[i], Mem{Base: h, Disp: 64 * i})
	}
	VZEROUPPER()
	RET()
}

// abreast is how many vectors of states go through their steps side by side. A step is one long chain of operations that
// wait for each other, longer than what the processor looks ahead.
const abreast = 4

// decayWide is what the decay of kernel.decay needs at hand.
type decayWide struct {
	k              *constants
	min, max, last VecVirtual
}

func newDecayWide(k *constants) *decayWide {
	d := &decayWide{k, ZMM(), ZMM(), ZMM()}
	VBROADCASTSS(k.single(decayMin), d.min)
	VBROADCASTSS(k.single(decayMax), d.max)
	VBROADCASTSS(k.single(decayQ[0]), d.last)
	return d
}

// decay splits powers of 2 as kernel.decay does, multiplies states by their scales, and returns the other two parts.
// It leaves anything in x.
func (d *decayWide) decay(x, state []VecVirtual) (high, low []VecVirtual) {
	k := d.k
	each := func(f func(i int)) {
		for i := range x {
			f(i)
		}
	}
	e, q := make([]VecVirtual, len(x)), make([]VecVirtual, len(x))
	each(func(i int) { e[i], q[i] = ZMM(), ZMM() })
	each(func(i int) { VMAXPS(x[i], d.min, x[i]) }) // a NaN is kept: MAX and MIN return their last source then
	each(func(i int) { VMINPS(x[i], d.max, x[i]) })
	each(func(i int) { VRNDSCALEPS(U8(nearestInteger), x[i], e[i]) })
	each(func(i int) { VSUBPS(e[i], x[i], x[i]) })
	each(func(i int) { VSCALEFPS(e[i], state[i], state[i]) })
	each(func(i int) { VMOVAPS(d.last, q[i]) })
	for _, coefficient := range decayQ[1:] {
		each(func(i int) { VFMADD213PS_BCST(k.single(coefficient), x[i], q[i]) })
	}
	each(func(i int) { VMULPS(x[i], q[i], q[i]) })
	each(func(i int) { VADDPS_BCST(k.single(1), q[i], e[i]) })
	each(func(i int) { VSUBPS_BCST(k.single(1), e[i], x[i]) })
	each(func(i int) { VSUBPS(x[i], q[i], q[i]) })
	return e, q
}

// foldMem is fold of 16 lanes in memory.
func foldMem(acc Mem) VecVirtual {
	low, high := ZMM(), ZMM()
	VCVTPS2PD(acc, low)
	VCVTPS2PD(acc.Offset(32), high)
	VADDPD(high, low, low)
	return low
}

// sumEightFolded adds 8 folded lanes of each of eight dot products, whose sums it returns in their order.
func sumEightFolded(folded func(i int) VecVirtual) VecVirtual {
	// By the shuffles below the result has the order 0 4 1 5 2 6 3 7.
	order := [8]int{0, 2, 4, 6, 1, 3, 5, 7}
	var d [8]VecVirtual
	for i, from := range order {
		d[i] = folded(from)
	}
	a, b := sumQuads([4]VecVirtual(d[:4])), sumQuads([4]VecVirtual(d[4:]))
	even := ZMM()
	VUNPCKLPD(b, a, even)
	VUNPCKHPD(b, a, a)
	VADDPD(a, even, a)
	return a
}

const (
	headStates   = 128 // of a channel of headBlock
	headChannels = 2   // which it steps side by side: their states stay in registers
)

// headBlock generates the recurrence of Mamba-2 for two channels of one head, with 128 states each, over some tokens.
func headBlock(k *constants) {
	TEXT("headBlockAVX512", NOSPLIT, "func(h *float32, dt *float64, high, low, x, b, c *float32, sums *float64, tokens, xStride, bStride, cStride, sumStride int)")
	Pragma("noescape")
	Doc("headBlockAVX512 moves the states h [2, 128] of 2 channels of one head over some tokens, as stepHeadGeneric does, and",
		"sets sums[t·sumStride + i] to its sum for channel i and token t. b and c are [tokens, 128] and x [tokens, 2] with rows",
		"bStride, cStride and xStride elements apart. tokens is positive.")
	h := Load(Param("h"), GP64())
	steps := []Register{Load(Param("dt"), GP64()), Load(Param("high"), GP64()), Load(Param("low"), GP64())}
	var state [headChannels][headStates / 16]VecVirtual
	for i := range state {
		for j := range state[i] {
			state[i][j] = ZMM()
			VMOVUPS(Mem{Base: h, Disp: 4*headStates*i + 64*j}, state[i][j])
		}
	}
	rows := make(map[string]Register)
	for _, name := range []string{"x", "b", "c"} {
		rows[name] = Load(Param(name), GP64())
		rows[name+"Stride"] = Load(Param(name+"Stride"), GP64())
	}
	sums, sumStride := Load(Param("sums"), GP64()), Load(Param("sumStride"), GP64())
	tokens := Load(Param("tokens"), GP64())

	Label("token")
	high, low := ZMM(), ZMM()
	VBROADCASTSS(Mem{Base: steps[1]}, high)
	VBROADCASTSS(Mem{Base: steps[2]}, low)
	dt, both := XMM(), XMM()
	VMOVDDUP(Mem{Base: steps[0]}, dt)
	VCVTPS2PD(Mem{Base: rows["x"]}, both)
	VMULPD(both, dt, both)
	VCVTPD2PSX(both, both)
	var dtx, lane [headChannels]VecVirtual
	for i := range dtx {
		dtx[i], lane[i] = ZMM(), ZMM()
		VPXORD(lane[i], lane[i], lane[i])
		VBROADCASTSS(both, dtx[i])
		if i == 0 {
			VMOVSHDUP(both, both)
		}
	}
	for j := range headStates / 16 {
		b, c := ZMM(), ZMM()
		VMOVUPS(Mem{Base: rows["b"], Disp: 64 * j}, b)
		VMOVUPS(Mem{Base: rows["c"], Disp: 64 * j}, c)
		for i := range state {
			input := ZMM()
			VMULPS(b, dtx[i], input)
			VFMADD231PS(low, state[i][j], input)
			VFMADD213PS(input, high, state[i][j])
			VFMADD231PS(c, state[i][j], lane[i])
		}
	}
	sumPair(lane, sums)
	LEAQ(Mem{Base: sums, Index: sumStride, Scale: 8}, sums)
	for i, size := range []uint64{8, 4, 4} {
		ADDQ(U8(size), steps[i])
	}
	for _, name := range []string{"x", "b", "c"} {
		LEAQ(Mem{Base: rows[name], Index: rows[name+"Stride"], Scale: 4}, rows[name])
	}
	DECQ(tokens)
	JNZ(LabelRef("token"))

	for i := range state {
		for j := range state[i] {
			VMOVUPS(state[i][j], Mem{Base: h, Disp: 4*headStates*i + 64*j})
		}
	}
	VZEROUPPER()
	RET()
}

// sumPair stores the sums of the lanes of two dot products, each by the tree of sumLanes64.
func sumPair(lane [headChannels]VecVirtual, sums Register) {
	a, b := fold(lane[0]), fold(lane[1])
	low := ZMM()
	VSHUFF64X2(U8(0x44), b, a, low)
	VSHUFF64X2(U8(0xee), b, a, a)
	VADDPD(a, low, a) // four lanes of each
	VSHUFF64X2(U8(0xb1), a, a, low)
	VADDPD(a, low, a)
	VPERMILPD(U8(0x55), a, low)
	VADDPD(a, low, a)
	VMOVSD(a.AsX(), Mem{Base: sums})
	VEXTRACTF64X4(U8(1), a, low.AsY())
	VMOVSD(low.AsX(), Mem{Base: sums, Disp: 8})
}
