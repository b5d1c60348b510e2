package main

import "fmt"

// Dtypes of blocks. From one decoder each come two functions: dotOne multiplies rows with a vector, widen writes the values.
//
// To add a dtype: a blockType, a line in blockTypes, go generate, and a line in the formats of isa_arm64.go. Its decode emits
// what makes the weights of the block at blockR, and hands on 16 at a time, in their order, with scaled or less. A value must be
// the exact one: scale·code fits float32, and where there is a minimum, one fused multiply-add rounds it once, as
// tensor.WidenF32 does. Registers:
//
//	R0           where the block begins; R1 to R6 belong to the loops
//	R7-R12       free
//	R15-R17      the tables of types with grids
//	V0-V3        lanes of the dot product
//	V4-V7        free up to the next 16 weights
//	V8-V11       the next 16 weights
//	V12          16 codes, unsigned bytes
//	V13          what follows them as a table of bytes
//	V14          2^23 and what is added to codes, as a type's hold leaves it there
//	V15-V19      constants of a type
//	V20-V27      what a block keeps: its scales
//	V28-V31      indices of floats
type blockType struct {
	name         string // in names of functions
	elems, bytes int    // of a block
	hold         func(b *block)
	decode       func(b *block)
}

const (
	blockR               R = 0
	rowsR, signsR, evenR R = 17, 16, 15

	codesV V = 12
	biasV  V = 14
)

var blockTypes = []blockType{
	q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k,
	iq4_nl, iq4_xs, iq3_s, iq3_xxs, iq2_s, iq2_xs, iq2_xxs, iq1_m, iq1_s, tq2_0, tq1_0, mxfp4, nvfp4, q2_0, q1_0,
}

// block is the block that is being decoded.
type block struct {
	*asm
	parts int // handed on so far
	use   func(weights V, part int)
}

// part hands on 16 weights, in v to v+3.
func (b *block) part(v V) {
	b.use(v, b.parts)
	b.parts++
}

// begin loads what every type needs: the bytes of a float32 from 2^23 on, whose lowest is a code.
func (b *block) begin(t *blockType) {
	b.useConstants()
	b.constant(13, bytesOf(func(i int) uint8 { return []uint8{0x4b, 0}[min(i, 1)] }))
	for k := range 4 {
		b.constant(28+V(k), bytesOf(func(i int) uint8 { return []uint8{uint8(4*k + i/4), 17, 17, 16}[i%4] }))
	}
	t.hold(b)
}

// bias sets v to what makes of floats the codes less n.
func (b *block) bias(v V, n float32) { b.constant(v, single(1<<23+n)) }

// floats sets V8 to V11 to the codes in V12, less what bias has.
func (b *block) floats(bias V) {
	four(func(i V) { b.tbl(8+i, codesV, 2, 28+i) })
	four(func(i V) { b.three("fsub 4s", 8+i, 8+i, bias) })
}

// scaled hands on V8 to V11 times scale i of those from s on.
func (b *block) scaled(s V, i int) {
	four(func(k V) { b.fmulElement(8+k, 8+k, s+V(i/4), i%4) })
	b.part(8)
}

// plus hands on V8 to V11 times scale i of those from s on plus number j from m on.
func (b *block) plus(s V, i int, m V, j int) {
	four(func(k V) { b.dup(4+k, m+V(j/4), j%4) })
	four(func(k V) { b.fmlaElement(4+k, 8+k, s+V(i/4), i%4) })
	b.part(4)
}

// half sets element 0 of v to the float16 at an offset.
func (b *block) half(v V, off int) {
	b.ldur2(v, off, blockR)
	b.p("FCVTHS F%d, F%[1]d", v)
}

// scales sets v to v+n-1 to the codes in V12, less what bias has, times element 0 of d.
func (b *block) scales(v V, n int, bias, d V) {
	b.floats(bias)
	for i := range V(n) {
		b.fmulElement(v+i, 8+i, d, 0)
	}
}

// right is a shift to the right, also by 0.
func (b *block) right(d, n V, by int) {
	if by == 0 {
		b.move(d, n)
		return
	}
	b.shift("ushr 16b", d, n, by)
}

// dotBlocks is dot for blocks. They are decoded by arithmetic, beside which one stream keeps memory busy enough.
func dotBlocks(a *asm, t *blockType) {
	a.fn("dotOne"+t.name+"NEON", "(y *float32, w *byte, x *float32, cols, rows int)", 0,
		"sets y[r] to the dot product of row r of w [rows, cols] with x, as dotGeneric does.",
		fmt.Sprintf("cols is a positive multiple of %d, rows is positive.", t.elems))
	const x, left, rows, y, first, cols R = 1, 2, 3, 4, 5, 6
	a.load(blockR, "w")
	a.load(first, "x")
	a.load(cols, "cols")
	a.load(rows, "rows")
	a.load(y, "y")
	b := &block{asm: a, use: func(w V, part int) {
		v := 12 - w // V4 or V8
		a.ldp(v, 64*part, x)
		a.ldp(v+2, 64*part+32, x)
		four(func(i V) { a.three("fmla 4s", i, w+i, v+i) })
	}}
	b.begin(t)
	a.label("row")
	four(a.zero)
	a.p("MOVD %v, %v", first, x)
	a.p("MOVD %v, %v", cols, left)
	a.label("block")
	t.decode(b)
	a.add(t.bytes, blockR)
	a.add(4*t.elems, x)
	a.down(left, t.elems, "block")
	a.sumLanes(0, 4, 0)
	a.three("faddp 2d", 0, 0, 0)
	a.p("FCVTDS F0, F0")
	a.p("FMOVS.P F0, 4(%v)", y)
	a.down(rows, 1, "row")
	a.ret()
}

// widenBlocks is widen for blocks.
func widenBlocks(a *asm, t *blockType) {
	a.fn("widen"+t.name+"NEON", "(dst *float32, src *byte, n int)", 0,
		"sets dst[:n] to the elements of src, as tensor.WidenF32 does.", fmt.Sprintf("n is a positive multiple of %d.", t.elems))
	const dst, left R = 1, 2
	a.load(dst, "dst")
	a.load(blockR, "src")
	a.load(left, "n")
	b := &block{asm: a, use: func(w V, part int) {
		a.stp(w, 64*part, dst)
		a.stp(w+2, 64*part+32, dst)
	}}
	b.begin(t)
	a.label("block")
	t.decode(b)
	a.add(t.bytes, blockR)
	a.add(4*t.elems, dst)
	a.down(left, t.elems, "block")
	a.ret()
}
