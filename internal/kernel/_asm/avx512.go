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
	prefetch("Bytes", "byte")
	prefetch("Values", "float32")
	addTo("AVX512", ZMM, 16)
	multiplyAdd("AVX512", 16, 24, ZMM)
	k := newConstants("AVX512", 8)
	for _, f := range []func(*constants){scanBlock, scanStepWide, headBlock, negExp, softplus, gate, conv, convBlock, addSquares, scaleRow} {
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

const tileWideRows = 4

// Bits of what is passed as ends, the same as in package kernel.
const (
	tileBegins = 1
	tileEnds   = 2
)

// tileWide generates a block of dot products of 4 rows with some tokens, whose accumulators all stay in registers.
func tileWide(tokens int) {
	name := fmt.Sprintf("tile4x%dAVX512", tokens)
	TEXT(name, NOSPLIT, "func(y *float32, yStride int, w *float32, wStride int, x *float32, xStride int, cols int, acc *float32, ends int)")
	Doc(fmt.Sprintf("%s sets y[t·yStride + r] to the dot product of w[r·wStride:] with x[t·xStride:] for 4 rows r and %d tokens t, as", name, tokens),
		"dotGeneric does. cols is a positive multiple of 16. Where the columns come in several parts, acc keeps the lanes from one",
		"call to the next: ends has tileBegins in the call for the first part and tileEnds in that for the last, which alone sets y.")
	Pragma("noescape")
	w, x := Load(Param("w"), GP64()), Load(Param("x"), GP64())
	stride, end, at := GP64(), GP64(), GP64()
	Load(Param("wStride"), stride)
	wPtr := rowPointers(w, stride, tileWideRows, 4)
	Load(Param("xStride"), stride)
	xPtr := rowPointers(x, stride, tokens, 4)
	acc := lanes16(tileWideRows * tokens)
	ends := paramMem("ends")
	TESTQ(U32(tileBegins), ends)
	JNZ(LabelRef("first"))
	Load(Param("acc"), at)
	for i, a := range acc {
		VMOVUPS(Mem{Base: at, Disp: 64 * i}, a)
	}
	Label("first")
	Load(Param("cols"), end)
	SHLQ(U8(2), end)
	XORQ(at, at)

	Label("block")
	u := make([]VecVirtual, tileWideRows)
	for r := range u {
		u[r] = ZMM()
		VMOVUPS(Mem{Base: wPtr[r], Index: at, Scale: 1}, u[r])
	}
	for t := range tokens {
		v := ZMM()
		VMOVUPS(Mem{Base: xPtr[t], Index: at, Scale: 1}, v)
		for r := range u {
			VFMADD231PS(u[r], v, acc[t*tileWideRows+r])
		}
	}
	ADDQ(U8(64), at)
	CMPQ(at, end)
	JLT(LabelRef("block"))

	TESTQ(U32(tileEnds), ends)
	JNZ(LabelRef("last"))
	Load(Param("acc"), at)
	for i, a := range acc {
		VMOVUPS(a, Mem{Base: at, Disp: 64 * i})
	}
	VZEROUPPER()
	RET()

	Label("last")
	y, yStride := Load(Param("y"), GP64()), Load(Param("yStride"), GP64())
	for t := 0; t+1 < tokens; t += 2 {
		sums := sumEight([8]VecVirtual(acc[t*tileWideRows:][:8]))
		VMOVUPS(sums.AsX(), Mem{Base: y})
		VEXTRACTF32X4(U8(1), sums, Mem{Base: y, Index: yStride, Scale: 4})
		LEAQ(Mem{Base: y, Index: yStride, Scale: 8}, y)
	}
	if tokens%2 == 1 {
		VMOVUPS(sumFour([4]VecVirtual(acc[(tokens-1)*tileWideRows:])), Mem{Base: y})
	}
	VZEROUPPER()
	RET()
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

// sumEight adds the lanes of eight dot products at once, each by the tree of sumLanes: 4 rows of one token in the low half
// of the result, of another in the high half.
func sumEight(acc [8]VecVirtual) VecVirtual {
	// By the shuffles below the result has the order 0 4 1 5 2 6 3 7.
	order := [8]int{0, 2, 4, 6, 1, 3, 5, 7}
	var d [8]VecVirtual
	for i, from := range order {
		d[i] = fold(acc[from])
	}
	a, b := sumQuads([4]VecVirtual(d[:4])), sumQuads([4]VecVirtual(d[4:]))
	even := ZMM()
	VUNPCKLPD(b, a, even)
	VUNPCKHPD(b, a, a)
	VADDPD(a, even, a)
	VCVTPD2PS(a, a.AsY())
	return a
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

// sumFour is sumEight for the rows of one token.
func sumFour(acc [4]VecVirtual) Register {
	for i := range acc {
		acc[i] = fold(acc[i])
	}
	a := sumQuads(acc)
	odd := ZMM()
	VPERMILPD(U8(0x55), a, odd)
	VADDPD(odd, a, a)
	VCVTPD2PS(a, a.AsY())
	high := XMM()
	VEXTRACTF32X4(U8(1), a, high)
	VSHUFPS(U8(0x88), high, a.AsX(), a.AsX())
	return a.AsX()
}
