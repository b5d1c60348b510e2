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
	for tokens := 1; tokens <= 6; tokens++ {
		tileWide(tokens)
	}
	tileLanes()
	sumTile()
	prefetch()
	prefetchRows()
	addTo("AVX512", ZMM, 16)
	addRows("AVX512", ZMM, 16, 4, 1)
	roundTrials("AVX512", ZMM, 16)
	scanTrials("AVX512", ZMM, 16)
	multiplyAdd("AVX512", 16, 24, ZMM)
	k := newConstants("AVX512", 8)
	for _, f := range []func(*constants){scanBlock, scanStepWide, headBlock, negExp, softplus, gate, conv, convBlock, addSquares, scaleRow, weigh, trapezoidBlock, gateRank, turn, rotateNeighbours, rotateHalves} {
		f(k)
	}
	for rank := 1; rank <= maxRank; rank++ {
		trapezoidAVX512(rank)
	}
}

// dotWide generates what dot does.
func dotWide(s stored, streams int) {
	name := fmt.Sprintf("dot%s%sAVX512", []string{1: "One", 4: "Four"}[streams], s.name)
	TEXT(name, NOSPLIT, "func(y *float32, w *byte, x *float32, cols, rows int)")
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
func sumLanesWide(acc VecVirtual) Register { return sumFolded(fold(acc)) }

// sumFolded is sumLanesWide of lanes that were folded.
func sumFolded(v VecVirtual) Register {
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
func prefetch() {
	TEXT("prefetchAVX512", NOSPLIT, "func(p *float32, lines int)")
	Doc("prefetchAVX512 brings lines of 64 bytes into the second-level cache. lines is positive.")
	Pragma("noescape")
	p, lines := Load(Param("p"), GP64()), Load(Param("lines"), GP64())
	Label("line")
	PREFETCHT1(Mem{Base: p})
	ADDQ(U8(64), p)
	DECQ(lines)
	JNZ(LabelRef("line"))
	RET()
}

// prefetchRows generates a hint that one line of memory in each of some rows is needed soon.
func prefetchRows() {
	TEXT("prefetchRowsAVX512", NOSPLIT, "func(p *float32, stride, rows int)")
	Doc("prefetchRowsAVX512 brings the lines of 64 bytes at p and at every stride values from there into the second-level cache. rows is positive.")
	Pragma("noescape")
	p, stride, rows := Load(Param("p"), GP64()), Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	Label("row")
	PREFETCHT1(Mem{Base: p})
	LEAQ(Mem{Base: p, Index: stride, Scale: 4}, p)
	DECQ(rows)
	JNZ(LabelRef("row"))
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
