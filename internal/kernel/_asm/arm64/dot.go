package main

import "fmt"

// A stored type: how wide an element is, and how 16 of them become float32 in the registers t to t+3. It may use t+4 and t+5.
type stored struct {
	name string
	size int
	load func(a *asm, r R, off int, t V)
}

const zeroV V = 15 // holds zeros in functions of 16-bit types

var storedTypes = []stored{
	{"F32", 4, func(a *asm, r R, off int, t V) {
		a.ldp(t, off, r)
		a.ldp(t+2, off+32, r)
	}},
	{"F16", 2, func(a *asm, r R, off int, t V) {
		a.ldp(t+4, off, r)
		for i := range V(2) {
			a.two("fcvtl 4s 4h", t+2*i, t+4+i)
			a.two("fcvtl2 4s 8h", t+2*i+1, t+4+i)
		}
	}},
	{"BF16", 2, func(a *asm, r R, off int, t V) {
		a.ldp(t+4, off, r)
		for i := range V(2) {
			a.three("zip1 8h", t+2*i, zeroV, t+4+i)
			a.three("zip2 8h", t+2*i+1, zeroV, t+4+i)
		}
	}},
}

var count = []string{1: "One", 4: "Four"}

// dot generates the dot products of rows with one vector. It goes through the rows in several streams at once, each of
// them in the order in which it lies in memory.
//
// R0 to R3 are where the streams read and R4 to R7 where they write; V0 to V3 hold x, V4 to V9 weights, V16 to V31 the lanes.
func dot(a *asm, s stored, streams int) {
	name := fmt.Sprintf("dot%s%sNEON", count[streams], s.name)
	a.fn(name, "(y *float32, w *byte, x *float32, cols, rows int)", 0,
		fmt.Sprintf("sets y[r] to the dot product of row r of w [%d·rows, cols] with x, as dotGeneric does.", streams),
		"cols is a positive multiple of 16, rows is positive.")
	const x, cols, rows, at, left, gap R = 8, 9, 10, 11, 12, 13
	a.load(4, "y")
	a.load(0, "w")
	a.load(x, "x")
	a.load(cols, "cols")
	a.load(rows, "rows")
	if streams > 1 {
		a.p("MUL %v, %v, %v", rows, cols, gap)
		for i := 1; i < streams; i++ {
			a.p("ADD %v<<%d, R%d, R%d", gap, map[int]int{4: 2, 2: 1}[s.size], i-1, i)
			a.p("ADD %v<<2, R%d, R%d", rows, 3+i, 4+i)
		}
	}
	if s.name == "BF16" {
		a.zero(zeroV)
	}
	a.label("row")
	for i := range 4 * streams {
		a.zero(V(16 + i))
	}
	a.p("MOVD %v, %v", x, at)
	a.p("MOVD %v, %v", cols, left)
	a.label("block")
	a.ldp(0, 0, at)
	a.ldp(2, 32, at)
	a.add(64, at)
	for i := range streams {
		s.load(a, R(i), 0, 4)
		a.add(16*s.size, R(i))
		for k := range V(4) {
			a.three("fmla 4s", V(16+4*i)+k, 4+k, k)
		}
	}
	a.down(left, 16, "block")
	for i := range streams {
		a.sumLanes(V(16+4*i), 0, V(16+4*i))
		a.three("faddp 2d", V(16+4*i), V(16+4*i), V(16+4*i))
		a.p("FCVTDS F%d, F%[1]d", 16+4*i)
		a.p("FMOVS.P F%d, 4(R%d)", 16+4*i, 4+i)
	}
	a.down(rows, 1, "row")
	a.ret()
}

// sumLanes adds the 16 lanes in acc to acc+3 as the tree i + (i+8), i + (i+4), i + (i+2) in float64: it leaves the two sums that
// are still to be added in d. It uses t to t+7.
func (a *asm) sumLanes(acc, t, d V) {
	for k := range V(4) {
		a.widenPair(t+2*k, acc+k)
	}
	for k := range V(4) {
		a.three("fadd 2d", t+k, t+k, t+4+k)
	}
	a.three("fadd 2d", t, t, t+2)
	a.three("fadd 2d", t+1, t+1, t+3)
	a.three("fadd 2d", d, t, t+1)
}

// widen generates the conversion of stored elements to float32.
func widen(a *asm, s stored) {
	a.fn("widen"+s.name+"NEON", "(dst *float32, src *byte, n int)", 0,
		"sets dst[:n] to the elements of src, as tensor.WidenF32 does. n is a positive multiple of 16.")
	const dst, src, n R = 0, 1, 2
	a.load(dst, "dst")
	a.load(src, "src")
	a.load(n, "n")
	a.zero(zeroV)
	a.label("block")
	s.load(a, src, 0, 4)
	a.stp(4, 0, dst)
	a.stp(6, 32, dst)
	a.add(16*s.size, src)
	a.add(64, dst)
	a.down(n, 16, "block")
	a.ret()
}
