package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// What scanBlock steps side by side: a vector holds one state of each channel, so that no sum goes across a vector.
const (
	scanChannels = 16
	scanStates   = 16
)

// scanBlock generates the selective scan of 16 channels with 16 states each over some tokens.
func scanBlock(k *constants) {
	TEXT("scanBlockAVX512", NOSPLIT,
		"func(h, rate, dt, x, b, c *float32, sums *float64, tokens, dtStride, xStride, bStride, cStride, sumStride int)")
	Pragma("noescape")
	Doc("scanBlockAVX512 moves the states of 16 channels over some tokens, as stepGeneric does, and sets sums[t·sumStride + i] to",
		"what it returns for channel i and token t. h and rate are [16, 16] with the channels last, b and c [tokens, 16], and dt",
		"and x [tokens, 16] with rows bStride, cStride, dtStride and xStride elements apart. tokens is positive.")
	d := newDecayWide(k)
	h, rate := Load(Param("h"), GP64()), Load(Param("rate"), GP64())
	rows := make(map[string]Register)
	for _, name := range []string{"dt", "x", "b", "c"} {
		rows[name] = Load(Param(name), GP64())
	}
	sums, tokens := Load(Param("sums"), GP64()), Load(Param("tokens"), GP64())

	Label("token")
	dt, dtx := ZMM(), ZMM()
	VMOVUPS(Mem{Base: rows["dt"]}, dt)
	VMULPS(Mem{Base: rows["x"]}, dt, dtx)
	var lane [scanLanes]VecVirtual
	for n := 0; n < scanStates; n += scanLanes {
		var state, input [scanLanes]VecVirtual
		each := func(f func(i int)) {
			for i := range scanLanes {
				f(i)
			}
		}
		each(func(i int) {
			input[i], state[i] = ZMM(), ZMM()
			VMULPS(Mem{Base: rate, Disp: 64 * (n + i)}, dt, input[i])
			VMOVUPS(Mem{Base: h, Disp: 64 * (n + i)}, state[i])
		})
		high, low := d.decay(input[:], state[:])
		each(func(i int) { VMULPS(low[i], state[i], input[i]) })
		each(func(i int) { VFMADD231PS_BCST(Mem{Base: rows["b"], Disp: 4 * (n + i)}, dtx, input[i]) })
		each(func(i int) { VFMADD213PS(input[i], high[i], state[i]) })
		each(func(i int) { VMOVUPS(state[i], Mem{Base: h, Disp: 64 * (n + i)}) })
		each(func(i int) {
			c := Mem{Base: rows["c"], Disp: 4 * (n + i)}
			if n == 0 {
				lane[i] = ZMM()
				VMULPS_BCST(c, state[i], lane[i])
			} else {
				VFMADD231PS_BCST(c, state[i], lane[i])
			}
		})
	}
	for half := range 2 {
		VMOVUPD(sumLanes4(lane, half), Mem{Base: sums, Disp: 64 * half})
	}
	stride := GP64()
	Load(Param("sumStride"), stride)
	LEAQ(Mem{Base: sums, Index: stride, Scale: 8}, sums)
	for _, name := range []string{"dt", "x", "b", "c"} {
		Load(Param(name+"Stride"), stride)
		LEAQ(Mem{Base: rows[name], Index: stride, Scale: 4}, rows[name])
	}
	DECQ(tokens)
	JNZ(LabelRef("token"))
	VZEROUPPER()
	RET()
}

// sumLanes4 adds the lanes of 8 sums, in either half of the vectors, as kernel.sum4 does.
func sumLanes4(lane [scanLanes]VecVirtual, half int) VecVirtual {
	var wide [scanLanes]VecVirtual
	for i, l := range lane {
		wide[i] = ZMM()
		part := l.AsY()
		if half == 1 {
			part = wide[i].AsY()
			VEXTRACTF32X8(U8(1), l, part)
		}
		VCVTPS2PD(part, wide[i])
	}
	VADDPD(wide[2], wide[0], wide[0])
	VADDPD(wide[3], wide[1], wide[1])
	VADDPD(wide[1], wide[0], wide[0])
	return wide[0]
}

// scanStepWide generates one token's step of the selective scan, 4 channels of 16 states at a time: a vector holds the
// states of a channel, as they lie in memory.
func scanStepWide(k *constants) {
	TEXT("scanStepAVX512", NOSPLIT, "func(h, rate, b, c, dt, x *float32, sums *float64, fours int)")
	Pragma("noescape")
	Doc("scanStepAVX512 sets sums[i] to what stepGeneric returns for channel i, with h and rate [4·fours, 16], b and c [16], dt and",
		"x [4·fours]. fours is positive.")
	d := newDecayWide(k)
	h, rate := Load(Param("h"), GP64()), Load(Param("rate"), GP64())
	dt, x := Load(Param("dt"), GP64()), Load(Param("x"), GP64())
	sums, fours := Load(Param("sums"), GP64()), Load(Param("fours"), GP64())
	b, c := ZMM(), GP64()
	Load(Param("b"), c)
	VMOVUPS(Mem{Base: c}, b)
	Load(Param("c"), c)

	Label("channels")
	inputs := XMM()
	VMOVUPS(Mem{Base: dt}, inputs)
	VMULPS(Mem{Base: x}, inputs, inputs)
	var state, input [4]VecVirtual
	for i := range state {
		state[i], input[i] = ZMM(), ZMM()
		VMOVUPS(Mem{Base: h, Disp: 64 * i}, state[i])
		VMOVUPS(Mem{Base: rate, Disp: 64 * i}, input[i])
		VMULPS_BCST(Mem{Base: dt, Disp: 4 * i}, input[i], input[i])
	}
	high, low := d.decay(input[:], state[:])
	for i := range state {
		dtx := ZMM()
		VPERMILPS(U8(0x55*i), inputs, dtx.AsX())
		VBROADCASTSS(dtx.AsX(), dtx)
		VMULPS(low[i], state[i], low[i])
		VFMADD231PS(b, dtx, low[i])
		VFMADD213PS(low[i], high[i], state[i])
		VMOVUPS(state[i], Mem{Base: h, Disp: 64 * i})
	}
	lane := ZMM() // 4 of each channel
	for i, quarter := range quarters(state) {
		factor := ZMM()
		VBROADCASTF32X4(Mem{Base: c, Disp: 16 * i}, factor)
		if i == 0 {
			VMULPS(factor, quarter, lane)
		} else {
			VFMADD231PS(factor, quarter, lane)
		}
	}
	high2 := ZMM()
	VEXTRACTF32X8(U8(1), lane, high2.AsY())
	for i, wide := range []VecVirtual{lane, high2} { // the lanes of two channels, in float64
		other := ZMM()
		VCVTPS2PD(wide.AsY(), wide)
		VPERMPD(U8(0x4e), wide, other)
		VADDPD(other, wide, wide)
		VPERMILPD(U8(0x55), wide, other)
		VADDPD(other, wide, wide)
		VMOVSD(wide.AsX(), Mem{Base: sums, Disp: 16 * i})
		VEXTRACTF64X4(U8(1), wide, other.AsY())
		VMOVSD(other.AsX(), Mem{Base: sums, Disp: 16*i + 8})
	}
	ADDQ(I32(256), h)
	ADDQ(I32(256), rate)
	ADDQ(U8(16), dt)
	ADDQ(U8(16), x)
	ADDQ(U8(32), sums)
	DECQ(fours)
	JNZ(LabelRef("channels"))
	VZEROUPPER()
	RET()
}

// quarters returns the first, second, third and fourth quarter of each of four vectors.
func quarters(v [4]VecVirtual) [4]VecVirtual {
	pick := func(a, b VecVirtual, which uint8) VecVirtual {
		r := ZMM()
		VSHUFF32X4(U8(which), b, a, r)
		return r
	}
	front, back := pick(v[0], v[1], 0x44), pick(v[0], v[1], 0xee) // quarters 0 and 1 of both, 2 and 3 of both
	front2, back2 := pick(v[2], v[3], 0x44), pick(v[2], v[3], 0xee)
	return [4]VecVirtual{pick(front, front2, 0x88), pick(front, front2, 0xdd), pick(back, back2, 0x88), pick(back, back2, 0xdd)}
}

// decayWide is what kernel.decay needs in registers.
type decayWide struct {
	min, max, one VecVirtual
	q             []VecVirtual
}

func newDecayWide(k *constants) *decayWide {
	load := func(v float32) VecVirtual {
		r := ZMM()
		VBROADCASTSS(k.single(v), r)
		return r
	}
	d := &decayWide{min: load(decayMin), max: load(decayMax), one: load(1)}
	for _, coefficient := range decayQ {
		d.q = append(d.q, load(coefficient))
	}
	return d
}

// decay splits powers of 2 as kernel.decay does, multiplies states by their scales, and returns the other two parts.
// It leaves anything in x. It takes several vectors a step at a time, as a step is one long chain of operations that wait for
// each other, longer than what the processor looks ahead.
func (d *decayWide) decay(x, state []VecVirtual) (high, low []VecVirtual) {
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
	each(func(i int) { VMOVAPS(d.q[0], q[i]) })
	for _, coefficient := range d.q[1:] {
		each(func(i int) { VFMADD213PS(coefficient, x[i], q[i]) })
	}
	each(func(i int) { VMULPS(x[i], q[i], q[i]) })
	each(func(i int) { VADDPS(d.one, q[i], e[i]) })
	each(func(i int) { VSUBPS(d.one, e[i], x[i]) })
	each(func(i int) { VSUBPS(x[i], q[i], q[i]) })
	return e, q
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
			VMULPS(low, state[i][j], input)
			VFMADD231PS(b, dtx[i], input)
			VFMADD213PS(input, high, state[i][j])
			VFMADD231PS(c, state[i][j], lane[i])
		}
	}
	sumTwo(lane, sums)
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

// sumTwo stores the sums of the lanes of two dot products, each by the tree of sumLanes64.
func sumTwo(lane [headChannels]VecVirtual, sums Register) {
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
