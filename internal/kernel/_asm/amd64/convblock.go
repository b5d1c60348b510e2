package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	blockTaps  = 4 // taps of the convolution of every published model
	blockPairs = 2 // vectors of 8 channels side by side: a cache line of float32 values
)

// convBlock generates the causal convolution and SiLU of channels over some tokens, with the last inputs in registers.
func convBlock(k *constants) {
	TEXT("convBlockAVX512", NOSPLIT,
		"func(out *float32, outStride int, in *float32, inStride int, state, taps *float32, tapStride int, bias *float32, tokens, lines int)")
	Pragma("noescape")
	Doc("convBlockAVX512 does what Conv.Run does for 16·lines adjacent channels and 4 taps. in and out have rows of inStride and",
		"outStride elements; state is [16·lines, 4], taps [4, tapStride]. tokens and lines are positive.")
	out, in := Load(Param("out"), GP64()), Load(Param("in"), GP64())
	outStride, inStride := Load(Param("outStride"), GP64()), Load(Param("inStride"), GP64())
	state, taps := Load(Param("state"), GP64()), Load(Param("taps"), GP64())
	bias, lines := Load(Param("bias"), GP64()), Load(Param("lines"), GP64())
	apart, from := k.transposed()

	Label("line")
	var window, tap [blockTaps][blockPairs]VecVirtual // in float64, the oldest input first
	var start [blockPairs]VecVirtual
	stride, row, left := GP64(), GP64(), GP64()
	Load(Param("tapStride"), stride)
	MOVQ(taps, row)
	for i := range tap {
		for h := range tap[i] {
			tap[i][h] = ZMM()
			VCVTPS2PD(Mem{Base: row, Disp: 32 * h}, tap[i][h])
		}
		if i+1 < blockTaps {
			LEAQ(Mem{Base: row, Index: stride, Scale: 4}, row)
		}
	}
	for h := range start {
		start[h] = ZMM()
		VCVTPS2PD(Mem{Base: bias, Disp: 32 * h}, start[h])
		low, high := ZMM(), ZMM()
		VMOVUPS(Mem{Base: state, Disp: 128 * h}, low)
		VMOVUPS(Mem{Base: state, Disp: 128*h + 64}, high)
		for i := range window {
			window[i][h] = ZMM()
			VMOVDQU32(apart[i], window[i][h])
			VPERMI2PS(high, low, window[i][h])
			VCVTPS2PD(window[i][h].AsY(), window[i][h])
		}
	}
	x, y := GP64(), GP64()
	MOVQ(in, x)
	MOVQ(out, y)
	Load(Param("tokens"), left)
	MOVQ(inStride, stride)
	SHLQ(U8(2+3), stride) // 8 rows, which lie far apart in memory

	Label("next")
	PREFETCHT0(Mem{Base: x, Index: stride, Scale: 1})
	sum := make([]VecVirtual, blockPairs)
	for h := range sum {
		for i := range blockTaps - 1 {
			VMOVAPD(window[i+1][h], window[i][h])
		}
		VCVTPS2PD(Mem{Base: x, Disp: 32 * h}, window[blockTaps-1][h])
		sum[h] = ZMM()
		VMOVAPD(start[h], sum[h])
	}
	for i := range blockTaps {
		for h := range sum {
			term := ZMM()
			VMULPD(tap[i][h], window[i][h], term)
			VADDPD(term, sum[h], sum[h])
		}
	}
	for h, v := range siluAbreast(k, sum) {
		VCVTPD2PS(v, v.AsY())
		VMOVUPS(v.AsY(), Mem{Base: y, Disp: 32 * h})
	}
	LEAQ(Mem{Base: x, Index: inStride, Scale: 4}, x)
	LEAQ(Mem{Base: y, Index: outStride, Scale: 4}, y)
	DECQ(left)
	JNZ(LabelRef("next"))

	for h := range start {
		var pair [2]VecVirtual // inputs of 8 channels at two times
		for i := range pair {
			pair[i] = window[2*i][h]
			VCVTPD2PS(pair[i], pair[i].AsY())
			VCVTPD2PS(window[2*i+1][h], window[2*i+1][h].AsY())
			VINSERTF32X8(U8(1), window[2*i+1][h].AsY(), pair[i], pair[i])
		}
		for half := range 2 {
			at := ZMM()
			VMOVDQU32(from[half], at)
			VPERMI2PS(pair[1], pair[0], at)
			VMOVUPS(at, Mem{Base: state, Disp: 128*h + 64*half})
		}
	}
	ADDQ(I32(256), state)
	for _, p := range []Register{in, out, taps, bias} {
		ADDQ(U8(64), p)
	}
	DECQ(lines)
	JNZ(LabelRef("line"))
	VZEROUPPER()
	RET()
}

// transposed returns the indices that take a window [8, 4] apart into inputs at one time each, and those that put it
// together from [4, 8], channels 0 to 3 and 4 to 7.
func (k *constants) transposed() (apart [blockTaps]Mem, from [2]Mem) {
	for i := range apart {
		var at [16]uint32
		for c := range 8 {
			at[c] = uint32(blockTaps*c + i)
		}
		apart[i] = k.words(at)
	}
	for half := range from {
		var at [16]uint32
		for j := range at {
			at[j] = uint32(8*(j%blockTaps) + 4*half + j/blockTaps)
		}
		from[half] = k.words(at)
	}
	return apart, from
}

// words is a table entry of 16 words of 32 bits.
func (k *constants) words(w [16]uint32) Mem {
	var pairs []uint64
	for i := 0; i < len(w); i += 2 {
		pairs = append(pairs, uint64(w[i+1])<<32|uint64(w[i]))
	}
	return k.list(pairs...)
}

// siluAbreast replaces each v by v / (1 + exp(-v)) as siluPD does, operation by operation for all of them, since each waits
// for the one before.
func siluAbreast(k *constants, v []VecVirtual) []VecVirtual {
	n, r, p := make([]VecVirtual, len(v)), make([]VecVirtual, len(v)), make([]VecVirtual, len(v))
	each := func(f func(i int)) {
		for i := range v {
			f(i)
		}
	}
	bound := [2]VecVirtual{ZMM(), ZMM()}
	VMOVUPD(k.float(expBound), bound[0])
	VMOVUPD(k.float(-expBound), bound[1])
	each(func(i int) {
		n[i], r[i], p[i] = ZMM(), ZMM(), ZMM()
		VXORPD(k.bits(signBit), v[i], r[i])
	})
	each(func(i int) { VMINPD(r[i], bound[0], r[i]) }) // a NaN is kept
	each(func(i int) { VMAXPD(r[i], bound[1], r[i]) })
	each(func(i int) { VMULPD(k.float(log2e), r[i], r[i]) })
	each(func(i int) { VRNDSCALEPD(U8(nearestInteger), r[i], n[i]) })
	each(func(i int) { VSUBPD(n[i], r[i], r[i]) })
	each(func(i int) { VMOVUPD(k.float(exp2Q[0]), p[i]) })
	for _, coefficient := range append(exp2Q[1:], 1) {
		each(func(i int) { VFMADD213PD(k.float(coefficient), r[i], p[i]) })
	}
	each(func(i int) { VSCALEFPD(n[i], p[i], p[i]) })
	each(func(i int) { VADDPD(k.float(1), p[i], p[i]) })
	each(func(i int) { VDIVPD(p[i], v[i], v[i]) })
	return v
}
