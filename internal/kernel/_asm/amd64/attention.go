package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	addedRows   = 6 // whose sums are in registers at once
	addedAtOnce = 8 // products that are added in float32
	pageTokens  = 64
)

// addRows generates sums of products of rows with numbers: of blocks of columns that are widths vectors wide, the widest first.
func addRows(isa string, vector func() VecVirtual, elems int, widths ...int) {
	name := "addRows" + isa
	TEXT(name, NOSPLIT, "func(y *float64, yStride int, x *float32, xStride int, w *float32, wStride, n, rows, columns int)")
	Pragma("noescape")
	Doc(name+" adds Σ_i x[r·xStride + i]·w[i·wStride:] for i < n, columns values, to y[r·yStride:] for each of some rows r, as",
		"addRowsGeneric does. columns is a positive multiple of 16, n and rows are positive.")
	a := &adder{vector: vector, elems: elems, y: Load(Param("y"), GP64()), w: Load(Param("w"), GP64())}
	a.yStride, a.xStride, a.wStride = Load(Param("yStride"), GP64()), Load(Param("xStride"), GP64()), Load(Param("wStride"), GP64())
	SHLQ(U8(3), a.yStride)
	SHLQ(U8(2), a.xStride)
	SHLQ(U8(2), a.wStride)
	columns, left := AllocLocal(8), AllocLocal(8)
	free := Load(Param("columns"), GP64())
	MOVQ(free, columns)
	for _, width := range widths {
		label := fmt.Sprintf("columns%d", width)
		Label(label)
		CMPQ(columns, U32(elems*width))
		JLT(LabelRef(label + "done"))
		a.allRows(width, left)
		ADDQ(I32(4*elems*width), a.w)
		ADDQ(I32(8*elems*width), a.y)
		SUBQ(U32(elems*width), columns)
		JMP(LabelRef(label))
		Label(label + "done")
	}
	VZEROUPPER()
	RET()
}

// adder is where the sums of addRows are being made.
type adder struct {
	vector                    func() VecVirtual
	elems                     int
	y, w                      Register // of the columns
	yStride, xStride, wStride Register // bytes
}

// allRows generates the sums of all rows in a block of columns, some rows at a time.
func (a *adder) allRows(width int, left Mem) {
	label := func(what string, rows int) string { return fmt.Sprintf("%s%dx%d", what, rows, width) }
	y, x := GP64(), Load(Param("x"), GP64())
	MOVQ(a.y, y)
	free := Load(Param("rows"), GP64())
	MOVQ(free, left)
	Label(label("rows", addedRows))
	for rows := addedRows; rows > 0; rows-- {
		if rows < addedRows {
			Label(label("rows", rows))
		}
		CMPQ(left, U32(rows))
		JLT(LabelRef(label("rows", rows-1)))
		a.sums(rows, width, y, x, label("", rows))
		SUBQ(U32(rows), left)
		if rows == addedRows {
			JMP(LabelRef(label("rows", rows)))
		} else {
			JMP(LabelRef(label("rows", 0)))
		}
	}
	Label(label("rows", 0))
}

// sums generates the sums of some rows, and moves y and x on to the rows after them.
func (a *adder) sums(rows, width int, y, x Register, label string) {
	n, w, at, further, count := GP64(), GP64(), GP64(), GP64(), GP64()
	Load(Param("n"), n)
	MOVQ(a.w, w)
	MOVQ(x, at)
	acc := make([][]VecVirtual, rows)
	for r := range acc {
		for range width {
			acc[r] = append(acc[r], a.vector())
		}
	}
	Label("group" + label)
	for _, row := range acc {
		for _, v := range row {
			VXORPS(v, v, v)
		}
	}
	MOVQ(U32(addedAtOnce), count)
	CMPQ(n, count)
	CMOVQLT(n, count)
	SUBQ(count, n)

	Label("product" + label)
	rest := further
	if rows > 3 {
		LEAQ(Mem{Base: at, Index: a.xStride, Scale: 2}, rest)
		ADDQ(a.xStride, rest)
	}
	factors := make([]VecVirtual, width)
	for i := range factors {
		factors[i] = a.vector()
		VMOVUPS(Mem{Base: w, Disp: 4 * a.elems * i}, factors[i])
	}
	one := a.vector()
	for r, row := range acc {
		from := Mem{Base: at}
		if r >= 3 {
			from.Base = rest
		}
		if r%3 > 0 {
			from.Index, from.Scale = a.xStride, uint8(r%3)
		}
		VBROADCASTSS(from, one)
		for i := range row {
			VFMADD231PS(factors[i], one, row[i])
		}
	}
	ADDQ(a.wStride, w)
	ADDQ(U8(4), at)
	DECQ(count)
	JNZ(LabelRef("product" + label))

	out := count
	MOVQ(y, out)
	for r, row := range acc {
		for i, v := range row {
			a.addWide(v, one, Mem{Base: out, Disp: 8 * a.elems * i})
		}
		if r+1 < rows {
			ADDQ(a.yStride, out)
		}
	}
	TESTQ(n, n)
	JNZ(LabelRef("group" + label))
	ADDQ(a.yStride, out)
	MOVQ(out, y)
	MOVQ(x, at)
	for range rows {
		ADDQ(a.xStride, at)
	}
	MOVQ(at, x)
}

// addWide adds float32 values to float64 values in memory. It leaves anything in both registers.
func (a *adder) addWide(v, high VecVirtual, to Mem) {
	if a.elems == 16 {
		VEXTRACTF32X8(U8(1), v, high.AsY())
		VCVTPS2PD(high.AsY(), high)
		VCVTPS2PD(v.AsY(), v)
	} else {
		VEXTRACTF128(U8(1), v, high.AsX())
		VCVTPS2PD(high.AsX(), high)
		VCVTPS2PD(v.AsX(), v)
	}
	for i, part := range []VecVirtual{v, high} {
		at := to.Offset(4 * a.elems * i)
		VADDPD(at, part, part)
		VMOVUPD(part, at)
	}
}

// weigh generates the weights of the scores of a page.
func weigh(k *constants) {
	name := "weigh" + k.isa
	TEXT(name, NOSPLIT, "func(w *float32, scores *float64, scale, most float64) (top, sum float64)")
	Pragma("noescape")
	Doc(name + " sets w[i] to exp(scores[i]·scale - top) for the 64 scores of a page, as weighGeneric does.")
	w, scores, scale, top := Load(Param("w"), GP64()), Load(Param("scores"), GP64()), k.reg(), k.reg()
	VBROADCASTSD(paramMem("scale"), scale)
	VBROADCASTSD(paramMem("most"), top)
	for i := 0; i < pageTokens; i += k.elems {
		v := k.reg()
		VMULPD(Mem{Base: scores, Disp: 8 * i}, scale, v)
		VMOVUPD(v, Mem{Base: scores, Disp: 8 * i})
		VMAXPD(top, v, top) // a NaN leaves it as it is: MAX returns its last source then
	}
	other := k.reg()
	if k.elems == 8 {
		VSHUFF64X2(U8(0x4e), top, top, other)
		VMAXPD(top, other, top)
	}
	VPERMPD(U8(0x4e), top, other)
	VMAXPD(top, other, top)
	VPERMILPD(U8(0x55), top, other)
	VMAXPD(top, other, top)

	sums := make([]VecVirtual, 8/k.elems)
	for i := range sums {
		sums[i] = k.reg()
		VXORPS(sums[i], sums[i], sums[i])
	}
	at, from := GP64(), GP64()
	MOVQ(w, at)
	MOVQ(scores, from)
	count := GP64()
	MOVQ(U32(pageTokens/8), count)
	Label("eight")
	for i := range sums {
		v := k.reg()
		VMOVUPD(Mem{Base: from, Disp: 8 * k.elems * i}, v)
		VSUBPD(top, v, v)
		expPD(k, v)
		single := k.narrow(v)
		VMOVUPS(single, Mem{Base: at, Disp: 4 * k.elems * i})
		VCVTPS2PD(single, v)
		VADDPD(v, sums[i], sums[i])
	}
	ADDQ(U8(32), at)
	ADDQ(U8(64), from)
	DECQ(count)
	JNZ(LabelRef("eight"))

	sum, high := sums[0], XMM()
	if k.elems == 8 {
		VEXTRACTF64X4(U8(1), sum, other.AsY())
		VADDPD(other.AsY(), sum.AsY(), sum.AsY())
	} else {
		VADDPD(sums[1], sum, sum)
	}
	VEXTRACTF128(U8(1), sum.AsY(), high)
	VADDPD(high, sum.AsX(), sum.AsX())
	VPERMILPD(U8(1), sum.AsX(), high)
	VADDSD(high, sum.AsX(), sum.AsX())
	Store(top.AsX(), Return("top"))
	Store(sum.AsX(), Return("sum"))
	VZEROUPPER()
	RET()
}
