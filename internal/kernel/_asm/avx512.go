package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The AVX-512 variants hold the 16 lanes of a dot product in one register. They are worth having for its 32 registers
// even where, as on Zen 4, its arithmetic is as fast as that of AVX2.

// wideLoad widens 16 stored elements.
var wideLoad = map[string]func(src Mem, dst VecVirtual){
	"F32": func(src Mem, dst VecVirtual) { VMOVUPS(src, dst) },
	"F16": func(src Mem, dst VecVirtual) { VCVTPH2PS(src, dst) },
	"BF16": func(src Mem, dst VecVirtual) {
		VPMOVZXWD(src, dst)
		VPSLLD(U8(16), dst, dst)
	},
}

func avx512() {
	for _, s := range storedTypes {
		dotWide(s, 4)
		dotWide(s, 1)
	}
	dotQ8Wide(4)
	dotQ8Wide(1)
	for tokens := 1; tokens <= 6; tokens++ {
		tileWide(tokens)
	}
	tileLanes()
	sumTile()
	prefetch("Bytes", "byte")
	prefetch("Values", "float32")
	addTo("AVX512", ZMM, 16)
	multiplyAdd("AVX512", 16, 24, ZMM)
	k := newConstants("AVX512", 8)
	for _, f := range []func(*constants){scanBlock, negExp, softplus, gate, conv, convBlock, addSquares, scaleRow} {
		f(k)
	}
}

// dotWide generates what dot does.
func dotWide(s stored, streams int) {
	name := fmt.Sprintf("dot%s%sAVX512", []string{1: "One", 4: "Four"}[streams], s.name)
	TEXT(name, NOSPLIT, fmt.Sprintf("func(y *float32, w *%s, x *float32, cols, rows int)", s.goTyp))
	Doc(fmt.Sprintf("%s sets y[r] to the dot product of row r of w [%d·rows, cols] with x, as dotGeneric does.", name, streams),
		"cols is a positive multiple of 16, rows is positive.")
	Pragma("noescape")
	y, w, x := Load(Param("y"), GP64()), Load(Param("w"), GP64()), Load(Param("x"), GP64())
	cols, rows := Load(Param("cols"), GP64()), Load(Param("rows"), GP64())
	gap := GP64() // elements from one stream to the next
	MOVQ(cols, gap)
	IMULQ(rows, gap)
	ptr := rowPointers(w, gap, streams, s.size)
	out := rowPointers(y, rows, streams, 4)
	left := gap // free again
	at := GP64()

	Label("row")
	acc := lanes16(streams)
	MOVQ(x, at)
	MOVQ(cols, left)
	Label("block")
	v := ZMM()
	VMOVUPS(Mem{Base: at}, v)
	for i, p := range ptr {
		u := ZMM()
		wideLoad[s.name](Mem{Base: p}, u)
		VFMADD231PS(u, v, acc[i])
	}
	ADDQ(U8(64), at)
	for _, p := range ptr {
		ADDQ(U8(16*s.size), p)
	}
	SUBQ(U8(16), left)
	JNZ(LabelRef("block"))
	for i, o := range out {
		VMOVSS(sumLanesWide(acc[i]), Mem{Base: o})
		ADDQ(U8(4), o)
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// lanes16 returns the zeroed lanes of some dot products.
func lanes16(n int) []VecVirtual {
	acc := make([]VecVirtual, n)
	for i := range acc {
		acc[i] = ZMM()
		VPXORD(acc[i], acc[i], acc[i])
	}
	return acc
}

// fold widens 16 lanes to float64 and adds lanes i and i+8.
func fold(acc VecVirtual) VecVirtual {
	high := ZMM()
	VEXTRACTF32X8(U8(1), acc, high.AsY())
	VCVTPS2PD(high.AsY(), high)
	VCVTPS2PD(acc.AsY(), acc)
	VADDPD(high, acc, acc)
	return acc
}

// sumLanesWide is sumLanes.
func sumLanesWide(acc VecVirtual) Register {
	v := fold(acc)
	quarter := YMM()
	VEXTRACTF64X4(U8(1), v, quarter)
	VADDPD(quarter, v.AsY(), v.AsY())
	low, high := v.AsX(), XMM()
	VEXTRACTF64X2(U8(1), v, high)
	VADDPD(high, low, low)
	VPERMILPD(U8(1), low, high)
	VADDSD(high, low, low)
	VCVTSD2SS(low, low, low)
	return low
}

// prefetch generates a hint that some lines of memory are needed soon.
func prefetch(what, of string) {
	TEXT("prefetch"+what+"AVX512", NOSPLIT, "func(p *"+of+", lines int)")
	Doc("prefetch" + what + "AVX512 brings lines of 64 bytes into the second-level cache. lines is positive.")
	Pragma("noescape")
	p, lines := Load(Param("p"), GP64()), Load(Param("lines"), GP64())
	Label("line")
	PREFETCHT1(Mem{Base: p})
	ADDQ(U8(64), p)
	DECQ(lines)
	JNZ(LabelRef("line"))
	RET()
}

// sumQuads takes 8 folded lanes of four dot products to 2: lanes i and i+4 are added, then i and i+2.
func sumQuads(d [4]VecVirtual) VecVirtual {
	pair := func(a, b VecVirtual, low, high uint8) VecVirtual {
		first := ZMM()
		VSHUFF64X2(U8(low), b, a, first)
		VSHUFF64X2(U8(high), b, a, a)
		VADDPD(a, first, a)
		return a
	}
	return pair(pair(d[0], d[1], 0x44, 0xee), pair(d[2], d[3], 0x44, 0xee), 0x88, 0xdd)
}

// scanChannels is how many channels scanBlock steps side by side: their states, and A, stay in registers.
const scanChannels = 4

// scanBlock generates the selective scan of 4 channels with 16 states each over some tokens.
func scanBlock(k *constants) {
	TEXT("scanBlockAVX512", 0, // its frame is larger than what NOSPLIT allows
		"func(h, a, dt, x, b, c *float32, sums *float64, tokens, dtStride, xStride, bStride, cStride, sumStride int)")
	Pragma("noescape")
	Doc("scanBlockAVX512 moves the states h [4, 16] of 4 channels over some tokens, as stepGeneric does, and sets",
		"sums[t·sumStride + i] to what it returns for channel i and token t. a is [4, 16], b and c [tokens, 16] and dt and x",
		"[tokens, 4] with rows bStride, cStride, dtStride and xStride elements apart. tokens is positive.")
	const vectors = 2 * scanChannels // of 8 states
	var state, lane [vectors]VecVirtual
	limit := broadcast(k, -exp2Bound)
	h, a := Load(Param("h"), GP64()), Load(Param("a"), GP64())
	local := GP64() // aligned for loads of whole lines
	LEAQ(AllocLocal(64*(vectors+1+2+2)+64).Offset(63), local)
	ANDQ(I32(-64), local)
	rates := Mem{Base: local}           // A in units of log 2, in float64
	steps := rates.Offset(64 * vectors) // dt, then dt·x, of each channel
	inputs := steps.Offset(64)          // B and
	outputs := inputs.Offset(64 * 2)    // C of the token, in float64
	for i := range vectors {
		state[i] = ZMM()
		VCVTPS2PD(Mem{Base: h, Disp: 32 * i}, state[i])
		rate := ZMM()
		VCVTPS2PD(Mem{Base: a, Disp: 32 * i}, rate)
		VMULPD_BCST(k.float(log2e), rate, rate)
		VMOVUPD(rate, rates.Offset(64*i))
	}
	evenAt := k.list(0, 2, 4, 6, 0, 2, 4, 6) // elements of a vector
	var q []Op                               // as many in registers as there are
	for i, coefficient := range append(exp2Q, 1) {
		if i < inRegisters {
			q = append(q, broadcast(k, coefficient))
		} else {
			q = append(q, k.float(coefficient))
		}
	}
	rows := make(map[string]Register)
	for _, name := range []string{"dt", "x", "b", "c"} {
		rows[name] = Load(Param(name), GP64())
		rows[name+"Stride"] = Load(Param(name+"Stride"), GP64())
	}
	sums, sumStride := Load(Param("sums"), GP64()), Load(Param("sumStride"), GP64())
	tokens := Load(Param("tokens"), GP64())

	Label("token")
	dt, dtx := YMM(), YMM()
	VCVTPS2PD(Mem{Base: rows["dt"]}, dt)
	VCVTPS2PD(Mem{Base: rows["x"]}, dtx)
	VMULPD(dt, dtx, dtx)
	VMOVUPD(dt, steps)
	VMOVUPD(dtx, steps.Offset(8*scanChannels))
	for half := range 2 {
		in, out := ZMM(), ZMM()
		VCVTPS2PD(Mem{Base: rows["b"], Disp: 32 * half}, in)
		VCVTPS2PD(Mem{Base: rows["c"], Disp: 32 * half}, out)
		VMOVUPD(in, inputs.Offset(64*half))
		VMOVUPD(out, outputs.Offset(64*half))
	}
	for from := 0; from < vectors; from += abreast {
		stepAbreast(q, limit, rates, steps, inputs, outputs, from, state[from:from+abreast], lane[from/2:])
	}
	total, odd := sumQuads([4]VecVirtual(lane[:4])), ZMM()
	VPERMILPD(U8(0x55), total, odd)
	VADDPD(odd, total, total)
	VMOVDQU64(evenAt, odd)
	VPERMPD(total, odd, total)
	VMOVUPD(total.AsY(), Mem{Base: sums})
	LEAQ(Mem{Base: sums, Index: sumStride, Scale: 8}, sums)
	for _, name := range []string{"dt", "x", "b", "c"} {
		LEAQ(Mem{Base: rows[name], Index: rows[name+"Stride"], Scale: 4}, rows[name])
	}
	DECQ(tokens)
	JNZ(LabelRef("token"))

	h = Load(Param("h"), GP64())
	for i := range vectors {
		VCVTPD2PS(state[i], state[i].AsY())
		VMOVUPS(state[i].AsY(), Mem{Base: h, Disp: 32 * i})
	}
	VZEROUPPER()
	RET()
}

// broadcast loads a constant into all elements of a register.
func broadcast(k *constants, v float64) VecVirtual {
	r := ZMM()
	VBROADCASTSD(k.float(v), r)
	return r
}

// abreast is how many vectors of states go through their steps side by side. A step is one long chain of operations that
// wait for each other, longer than what the processor looks ahead.
const abreast = 4

// inRegisters is how many coefficients of the polynomial have a register beside what goes on abreast.
const inRegisters = 4

// stepAbreast moves vectors of states, of which the first has the index from, over one token. Two of them make a channel,
// whose sum over its states is put into a lane.
func stepAbreast(q []Op, limit VecVirtual, rates, steps, inputs, outputs Mem, from int, state, lane []VecVirtual) {
	var n, r, p [abreast]VecVirtual
	each := func(f func(i int)) {
		for i := range abreast {
			f(i)
		}
	}
	each(func(i int) {
		n[i], r[i], p[i] = ZMM(), ZMM(), ZMM()
		VBROADCASTSD(steps.Offset(8*((from+i)/2)), r[i])
		VMULPD(rates.Offset(64*(from+i)), r[i], r[i])
	})
	each(func(i int) { VMAXPD(r[i], limit, r[i]) }) // a NaN is kept: MAX returns its last source then
	each(func(i int) { VRNDSCALEPD(U8(nearestInteger), r[i], n[i]) })
	each(func(i int) { VSUBPD(n[i], r[i], r[i]) })
	each(func(i int) { VMOVAPD(q[0], p[i]) })
	for _, coefficient := range q[1:] {
		each(func(i int) { VFMADD213PD(coefficient, r[i], p[i]) })
	}
	each(func(i int) { VSCALEFPD(n[i], p[i], p[i]) })
	each(func(i int) {
		VBROADCASTSD(steps.Offset(8*(scanChannels+(from+i)/2)), r[i])
		VMULPD(inputs.Offset(64*(i%2)), r[i], r[i])
	})
	each(func(i int) { VFMADD213PD(r[i], p[i], state[i]) })
	each(func(i int) { VCVTPD2PS(state[i], state[i].AsY()) })
	each(func(i int) { VCVTPS2PD(state[i].AsY(), state[i]) })
	each(func(i int) {
		if i%2 == 0 {
			lane[i/2] = ZMM()
			VPXORQ(lane[i/2], lane[i/2], lane[i/2])
		}
		VFMADD231PD(outputs.Offset(64*(i%2)), state[i], lane[i/2])
	})
}
