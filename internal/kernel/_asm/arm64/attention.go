package main

import "fmt"

const (
	addedRows   = 4 // whose sums are in registers at once
	addedAtOnce = 8 // products that are added in float32
	pageTokens  = 64
)

// adder says which registers addRows uses for what: strides are in bytes, and y, x and w with At move on.
type adder struct {
	*asm
	y, yStride, yAt       R
	x, xStride, xAt       R
	w, wStride, wAt       R
	n, left, rows, counts R
	row                   R // where each of the rows is read, from this on
}

// addRows generates sums of products of rows with numbers, of 16 columns at a time.
//
// V0 to V7 hold numbers of the rows, V8 to V11 what they multiply, V12 to V27 sums.
func addRows(a *asm) {
	a.fn("addRowsNEON", "(y *float64, yStride int, x *float32, xStride int, w *float32, wStride, n, rows, columns int)", 0,
		"adds Σ_i x[r·xStride + i]·w[i·wStride:] for i < n, columns values, to y[r·yStride:] for each of some rows r, as",
		"addRowsGeneric does. columns is a positive multiple of 16, n and rows are positive.")
	d := adder{a, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20}
	const columns R = 13
	a.load(d.y, "y")
	a.load(d.x, "x")
	a.load(d.w, "w")
	a.load(d.n, "n")
	a.load(columns, "columns")
	for _, s := range []struct {
		r    R
		name string
		by   int
	}{{d.yStride, "yStride", 3}, {d.xStride, "xStride", 2}, {d.wStride, "wStride", 2}} {
		a.load(s.r, s.name)
		a.p("LSL $%d, %v", s.by, s.r)
	}
	a.label("columns")
	a.p("MOVD %v, %v", d.y, d.yAt)
	a.p("MOVD %v, %v", d.x, d.xAt)
	a.load(d.rows, "rows")
	a.p("SUBS $%d, %v", addedRows, d.rows)
	a.p("BLT rest")
	a.label("rows")
	d.sums(addedRows)
	a.p("SUBS $%d, %v", addedRows, d.rows)
	a.p("BGE rows")
	a.label("rest")
	a.p("ADDS $%d, %v", addedRows, d.rows)
	a.p("BEQ done")
	a.label("row")
	d.sums(1)
	a.down(d.rows, 1, "row")
	a.label("done")
	a.add(128, d.y)
	a.add(64, d.w)
	a.down(columns, 16, "columns")
	a.ret()
}

// sums generates the sums of some rows, and moves on to those after them.
func (d *adder) sums(rows int) {
	const in, factor, acc V = 0, 8, 12
	label := func(what string) string { return fmt.Sprintf("%s%d", what, rows) }
	d.p("MOVD %v, %v", d.w, d.wAt)
	d.p("MOVD %v, %v", d.n, d.left)
	for r := range R(rows) {
		d.p("MOVD %v, %v", d.xAt, d.row+r)
		d.p("ADD %v, %v", d.xStride, d.xAt)
	}
	product := func(multiply func(sum, factor V, row int)) {
		d.ldp(factor, 0, d.wAt)
		d.ldp(factor+2, 32, d.wAt)
		d.p("ADD %v, %v", d.wStride, d.wAt)
		for r := range rows {
			four(func(i V) { multiply(acc+4*V(r)+i, factor+i, r) })
		}
	}
	d.label(label("group"))
	for i := range V(4 * rows) {
		d.zero(acc + i)
	}
	d.p("SUBS $%d, %v", addedAtOnce, d.left)
	d.p("BLT %s", label("few"))
	for r := range rows {
		d.ldp(in+2*V(r), 0, d.row+R(r))
		d.add(4*addedAtOnce, d.row+R(r))
	}
	for i := range addedAtOnce {
		product(func(sum, factor V, row int) { d.fmlaElement(sum, factor, in+V(2*row+i/4), i%4) })
	}
	d.p("B %s", label("added"))
	d.label(label("few"))
	d.p("ADD $%d, %v, %v", addedAtOnce, d.left, d.counts)
	d.p("MOVD ZR, %v", d.left)
	d.label(label("one"))
	for r := range rows {
		d.ld1r(in+V(r), d.row+R(r))
		d.add(4, d.row+R(r))
	}
	product(func(sum, factor V, row int) { d.three("fmla 4s", sum, factor, in+V(row)) })
	d.down(d.counts, 1, label("one"))

	d.label(label("added"))
	d.p("MOVD %v, %v", d.yAt, d.counts)
	for r := range rows {
		for i := range 2 {
			for k := range V(2) {
				d.widenPair(2*k, acc+V(4*r+2*i)+k)
				d.ldp(4+2*k, 64*i+32*int(k), d.counts)
			}
			four(func(k V) { d.three("fadd 2d", k, 4+k, k) })
			for k := range V(2) {
				d.stp(2*k, 64*i+32*int(k), d.counts)
			}
		}
		d.p("ADD %v, %v", d.yStride, d.counts)
	}
	d.p("CBNZ %v, %s", d.left, label("group"))
	d.p("MOVD %v, %v", d.counts, d.yAt)
}

// weigh generates the weights of the scores of a page.
func weigh(a *asm) {
	a.fn("weighNEON", "(w *float32, scores *float64, scale, most float64) (top, sum float64)", 0,
		"sets w[i] to exp(scores[i]·scale - top) for the 64 scores of a page, as weighGeneric does.")
	const w, scores, at, left R = 0, 1, 2, 3
	const scale, top, sum V = 29, 30, 0
	a.load(w, "w")
	a.load(scores, "scores")
	a.p("FMOVD %s, F%d", a.param("scale"), scale)
	a.p("FMOVD %s, F%d", a.param("most"), top)
	a.dupDouble(scale, scale, 0)
	a.dupDouble(top, top, 0)
	a.expConstants()
	a.p("MOVD %v, %v", scores, at)
	a.p("MOVD $%d, %v", pageTokens/8, left)
	a.label("scale")
	a.ldp(4, 0, at)
	a.ldp(6, 32, at)
	four(func(i V) { a.three("fmul 2d", 4+i, 4+i, scale) })
	four(func(i V) { a.three("fmaxnm 2d", top, top, 4+i) }) // a NaN leaves it as it is
	a.stp(4, 0, at)
	a.stp(6, 32, at)
	a.add(64, at)
	a.down(left, 1, "scale")
	a.three("fmaxnmp 2d", top, top, top)

	four(func(i V) { a.zero(sum + i) })
	a.p("MOVD $%d, %v", pageTokens/8, left)
	a.label("eight")
	a.ldp(expV, 0, scores)
	a.ldp(expV+2, 32, scores)
	four(func(i V) { a.three("fsub 2d", expV+i, expV+i, top) })
	a.exp()
	a.store8(expV, 12, w)
	for i := range V(2) {
		a.widenPair(expV+2*i, 12+i)
	}
	four(func(i V) { a.three("fadd 2d", sum+i, sum+i, expV+i) })
	a.add(64, scores)
	a.add(32, w)
	a.down(left, 1, "eight")
	a.three("fadd 2d", sum, sum, sum+2)
	a.three("fadd 2d", sum+1, sum+1, sum+3)
	a.three("fadd 2d", sum, sum, sum+1)
	a.three("faddp 2d", sum, sum, sum)
	a.p("FMOVD F%d, %s", top, a.param("top"))
	a.p("FMOVD F%d, %s", sum, a.param("sum"))
	a.ret()
}
