package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const tileWideRows = 4

// tileWide generates a block of dot products of 4 rows with some tokens, whose accumulators all stay in registers.
func tileWide(tokens int) {
	name := fmt.Sprintf("tile4x%dAVX512", tokens)
	TEXT(name, NOSPLIT, "func(y *float32, yStride int, w *float32, wStride int, x *float32, xStride int, cols int)")
	Doc(fmt.Sprintf("%s sets y[t·yStride + r] to the dot product of w[r·wStride:] with x[t·xStride:] for 4 rows r and %d tokens t, as", name, tokens),
		"dotGeneric does. cols is a positive multiple of 16.")
	Pragma("noescape")
	w, x := Load(Param("w"), GP64()), Load(Param("x"), GP64())
	stride, end, at := GP64(), GP64(), GP64()
	Load(Param("wStride"), stride)
	wPtr := rowPointers(w, stride, tileWideRows, 4)
	Load(Param("xStride"), stride)
	xPtr := rowPointers(x, stride, tokens, 4)
	acc := lanes16(tileWideRows * tokens)
	Load(Param("cols"), end)
	SHLQ(U8(2), end)
	XORQ(at, at)

	Label("block")
	columnBlock(rowsFrom(wPtr, at), rowsFrom(xPtr, at), acc, 0, func() {})
	ADDQ(U8(64), at)
	CMPQ(at, end)
	JLT(LabelRef("block"))

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

// columnBlock generates the multiply-adds of 16 columns, disp bytes on from where the rows are, and calls between after each.
func columnBlock(w, x []Mem, acc []VecVirtual, disp int, between func()) {
	u := make([]VecVirtual, len(w))
	for r := range u {
		u[r] = ZMM()
		VMOVUPS(w[r].Offset(disp), u[r])
	}
	for t := range x {
		v := ZMM()
		VMOVUPS(x[t].Offset(disp), v)
		for r := range u {
			VFMADD231PS(u[r], v, acc[t*len(u)+r])
			between()
		}
	}
}

// rowsFrom returns where rows are, at bytes on from the pointers to them.
func rowsFrom(ptr []Register, at Register) []Mem {
	rows := make([]Mem, len(ptr))
	for i, p := range ptr {
		rows[i] = Mem{Base: p, Index: at, Scale: 1}
	}
	return rows
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
