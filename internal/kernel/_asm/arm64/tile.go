package main

import "fmt"

// What a tile holds at most.
const (
	tileRows   = 4
	tileTokens = 6
)

// quartersAtOnce are how many quarters of the lanes a pass takes, by tokens: as many as there are registers for. A multiply-add
// takes 4 cycles, and the widest processors begin 4 in each, so that fewer than 16 sums would wait for each other.
var quartersAtOnce = [tileTokens + 1]int{1: 4, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1}

// tile generates a block of dot products, 4 rows by some tokens. The 16 lanes of 24 dot products are 96 registers, three times
// what there is, so that the columns are gone through several times, each time for some quarters of the 16 lanes: what is read
// lies in the first-level cache. Lanes wait on the stack.
//
// R0 to R3 are where rows are read and R4 to R9 tokens; V0 to V3 hold rows, V4 to V7 tokens in turns, V8 to V31 lanes: the
// quarters of a pass lie side by side.
func tile(a *asm, tokens int) {
	n, quarters := tileRows*tokens, quartersAtOnce[tokens]
	name := fmt.Sprintf("tile4x%dNEON", tokens)
	a.fn(name, "(y *float32, yStride int, w *float32, wStride int, x *float32, xStride int, cols int)", 64*n,
		fmt.Sprintf("sets y[t·yStride + r] to the dot product of w[r·wStride:] with x[t·xStride:] for 4 rows r and %d tokens t, as", tokens),
		"dotGeneric does. cols is a positive multiple of 16.")
	const w, x, cols, left, stride, lanes, group R = 0, 4, 10, 11, 12, 13, 14
	a.load(cols, "cols")
	a.p("MOVD $lanes-%d(SP), %v", 64*n, lanes)
	a.p("MOVD ZR, %v", group) // in bytes
	a.label("group")
	a.rows(w, tileRows, "w", "wStride", stride, group)
	a.rows(x, tokens, "x", "xStride", stride, group)
	for i := range n * quarters {
		a.zero(V(8 + i))
	}
	a.p("SUBS $64, %v, %v", cols, left)
	a.p("BLT rest")
	a.label("four")
	tileBlocks(a, w, x, tokens, quarters, 4)
	a.p("SUBS $64, %v, %v", left, left)
	a.p("BGE four")
	a.label("rest")
	a.p("ADDS $64, %v, %v", left, left)
	a.p("BEQ done")
	a.label("one")
	tileBlocks(a, w, x, tokens, quarters, 1)
	a.p("SUBS $16, %v, %v", left, left)
	a.p("BNE one")
	a.label("done")
	for i := range n * quarters {
		a.str(V(8+i), 64*(i/quarters)+16*(i%quarters), lanes)
	}
	a.add(16*quarters, lanes, group)
	a.p("CMP $64, %v", group)
	a.p("BNE group")

	// The sums of 4 rows at a time.
	const y R = 0
	a.load(y, "y")
	a.load(stride, "yStride")
	a.p("SUB $64, %v", lanes)
	a.p("MOVD $%d, %v", tokens, left)
	a.label("sums")
	for r := range V(tileRows) {
		acc := 8 + 4*(r%2)
		a.ldp(acc, 64*int(r), lanes)
		a.ldp(acc+2, 64*int(r)+32, lanes)
		a.sumLanes(acc, 16+8*(r%2), r)
	}
	a.add(64*tileRows, lanes)
	a.three("faddp 2d", 4, 0, 1)
	a.three("faddp 2d", 5, 2, 3)
	a.narrowPair(6, 4)
	a.str(6, 0, y)
	a.p("ADD %v<<2, %v", stride, y)
	a.down(left, 1, "sums")
	a.ret()
}

// rows sets registers from first on to the rows of a parameter, offset bytes after their beginning.
func (a *asm) rows(first R, n int, param, strideParam string, stride, offset R) {
	a.load(first, param)
	a.load(stride, strideParam)
	a.p("ADD %v, %v", offset, first)
	for r := first + 1; r < first+R(n); r++ {
		a.p("ADD %v<<2, %v, %v", stride, r-1, r)
	}
}

// tileBlocks generates the multiply-adds of some blocks of 16 columns, some quarters of the lanes each.
func tileBlocks(a *asm, w, x R, tokens, quarters, blocks int) {
	for i := range blocks * quarters {
		q := i % quarters
		at := 64*(i/quarters) + 16*q
		for r := range tileRows {
			a.ldr(V(r), at, w+R(r))
		}
		for t := range tokens {
			v := V(4 + t%4)
			a.ldr(v, at, x+R(t))
			for r := range tileRows {
				a.three("fmla 4s", V(8+(t*tileRows+r)*quarters+q), V(r), v)
			}
		}
	}
	for r := range R(tileRows) {
		a.add(64*blocks, w+r)
	}
	for t := range R(tokens) {
		a.add(64*blocks, x+t)
	}
}
