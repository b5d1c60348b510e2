package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// To add the lanes of a tile takes a tenth of the time of its multiply-adds, in other units of the processor. The two go on
// side by side only where they stand side by side in the code: it looks ahead less far than either is long. So a tile
// of 6 tokens leaves its lanes in memory, and the next one adds them, 8 dot products at a time, between its own multiply-adds.

const (
	chainTokens = 6
	pairs       = chainTokens / 2 // of tokens, whose lanes are added at once
	sumBlocks   = 6               // blocks of 16 columns during which those of a pair are added
	lastBlocks  = 5               // blocks of 16 columns that are taken one pair of tokens after the other
	pairLanes   = 2 * tileWideRows
)

// tileLanes generates a block of dot products of 4 rows with 6 tokens up to their lanes.
func tileLanes() {
	TEXT("lanes4x6AVX512", NOSPLIT,
		"func(acc, from *float32, w *float32, wStride int, x *float32, xStride int, cols int, y *float32, yStride int, done *float32, next *byte, nextStep int)")
	Doc("lanes4x6AVX512 is tile4x6AVX512, but leaves the lanes in acc, for sums4x6AVX512 or for a later call of its own:",
		"from, if not nil, holds the lanes of the columns before, which these go on from; it may be the same as acc.",
		"done, if not nil, is such an acc, whose sums are set in y. It is no longer needed then, and may be the same as acc.",
		fmt.Sprintf("cols is a multiple of 16, at least %d. Of next, what is needed soon, a line is brought into the second-level cache for each", 16*(pairs*sumBlocks+lastBlocks)),
		fmt.Sprintf("16 columns but the first %d and the last %d, each nextStep bytes on from the one before.", 16*pairs*sumBlocks, 16*lastBlocks))
	Pragma("noescape")
	w, wEnds := rowsOf("w", "wStride", tileWideRows)
	x, xEnds := rowsOf("x", "xStride", chainTokens)
	advance := func(blocks int) {
		for _, p := range append(wEnds, xEnds...) {
			ADDQ(I32(64*blocks), p)
		}
	}
	acc, at, left := lanes16(tileWideRows*chainTokens), GP64(), GP64()
	from := Load(Param("from"), GP64())
	TESTQ(from, from)
	JZ(LabelRef("begin"))
	for i, a := range acc {
		VMOVUPS(Mem{Base: from, Disp: 64 * i}, a)
	}
	Label("begin")
	Load(Param("cols"), left)
	SUBQ(U32(16*lastBlocks), left)
	done := Load(Param("done"), GP64())
	TESTQ(done, done)
	JZ(LabelRef("rest"))
	y, yStride, pair := Load(Param("y"), GP64()), Load(Param("yStride"), GP64()), GP64()
	MOVQ(U32(pairs), pair)

	Label("pair")
	sums := portions(sumPair(done, y, yStride), sumBlocks*len(acc))
	for i := range sumBlocks {
		columnBlock(w, x, acc, 64*i, sums)
	}
	advance(sumBlocks)
	nextPair(done, y, yStride)
	DECQ(pair)
	JNZ(LabelRef("pair"))
	SUBQ(U32(16*sumBlocks*pairs), left)
	JZ(LabelRef("last"))

	Label("rest")
	next, nextStep := Load(Param("next"), GP64()), Load(Param("nextStep"), GP64())
	Label("block")
	PREFETCHT1(Mem{Base: next})
	columnBlock(w, x, acc, 0, func() {})
	advance(1)
	ADDQ(nextStep, next)
	SUBQ(U32(16), left)
	JNZ(LabelRef("block"))

	Label("last")
	Load(Param("acc"), at)
	lastColumns(w, x, acc, at)
	VZEROUPPER()
	RET()
}

// lastColumns generates the multiply-adds of the last columns and stores the lanes. It goes pair by pair, so that the stores of
// one go on beside the multiply-adds of the next: all at once they hold up what follows.
func lastColumns(w, x []Mem, acc []VecVirtual, to Register) {
	var stores []func()
	for p := range pairs {
		of := acc[p*pairLanes:][:pairLanes]
		some := portions(stores, lastBlocks*len(of))
		for i := range lastBlocks {
			columnBlock(w, x[2*p:][:2], of, 64*i, some)
		}
		stores = nil
		for i, a := range of {
			stores = append(stores, func() { VMOVUPS(a, Mem{Base: to, Disp: 64 * (p*pairLanes + i)}) })
		}
	}
	for _, store := range stores {
		store()
	}
}

// sumTile generates the sums of a tile that no other follows.
func sumTile() {
	TEXT("sums4x6AVX512", NOSPLIT, "func(y *float32, yStride int, done *float32)")
	Doc("sums4x6AVX512 sets y[t·yStride + r] to the sum of the lanes that lanes4x6AVX512 left for 4 rows r and 6 tokens t.",
		"The lanes are no longer needed then.")
	Pragma("noescape")
	y, yStride, done := Load(Param("y"), GP64()), Load(Param("yStride"), GP64()), Load(Param("done"), GP64())
	for range pairs {
		for _, step := range sumPair(done, y, yStride) {
			step()
		}
		nextPair(done, y, yStride)
	}
	VZEROUPPER()
	RET()
}

// nextPair goes on from the lanes and outputs of one pair of tokens to those of the next.
func nextPair(done, y, yStride Register) {
	ADDQ(I32(64*pairLanes), done)
	LEAQ(Mem{Base: y, Index: yStride, Scale: 8}, y)
}

// rowsOf returns where the rows of a parameter are, and the registers to move for all of them to move. There are not enough
// registers for a pointer to each row.
func rowsOf(param, stride string, rows int) ([]Mem, []Register) {
	base, step := Load(Param(param), GP64()), Load(Param(stride), GP64())
	SHLQ(U8(2), step)
	var at []Mem
	var bases []Register
	for i := range rows {
		if i > 0 && i%3 == 0 {
			next := GP64()
			LEAQ(Mem{Base: base, Index: step, Scale: 2}, next)
			ADDQ(step, next)
			base = next
		}
		switch i % 3 {
		case 0:
			bases = append(bases, base)
			at = append(at, Mem{Base: base})
		default:
			at = append(at, Mem{Base: base, Index: step, Scale: uint8(i % 3)})
		}
	}
	return at, bases
}

// portions returns a function that does all of the work in n calls, about as much in each.
func portions(work []func(), n int) func() {
	calls, did := 0, 0
	return func() {
		calls++
		for ; did*n < calls*len(work); did++ {
			work[did]()
		}
	}
}

// sumPair returns the steps of sumEight for lanes in memory. They get along with the three registers that a tile leaves, by
// putting what has to wait back into that memory.
func sumPair(done, y, yStride Register) []func() {
	var steps []func()
	do := func(f func()) { steps = append(steps, f) }
	a, b, c := ZMM(), ZMM(), ZMM()
	slot := func(i int) Mem { return Mem{Base: done, Disp: 64 * i} }
	add := func(x, y, dst VecVirtual) { do(func() { VADDPD(x, y, dst) }) }
	fold := func(i int, dst VecVirtual) {
		do(func() { VCVTPS2PD(slot(i), dst) })
		do(func() { VCVTPS2PD(slot(i).Offset(32), c) })
		add(c, dst, dst)
	}
	combine := func(with Op, low, high uint8) {
		do(func() { VSHUFF64X2(U8(low), with, a, c) })
		do(func() { VSHUFF64X2(U8(high), with, a, a) })
		add(a, c, a)
	}
	quad := func(of [4]int) { // sumQuads
		for i := 2; i >= 0; i -= 2 {
			fold(of[i], a)
			fold(of[i+1], b)
			combine(b, 0x44, 0xee)
			if i > 0 {
				do(func() { VMOVUPD(a, slot(of[i])) })
			}
		}
		combine(slot(of[2]), 0x88, 0xdd)
	}
	quad([4]int{1, 3, 5, 7})
	do(func() { VMOVUPD(a, slot(1)) })
	quad([4]int{0, 2, 4, 6})
	do(func() { VUNPCKLPD(slot(1), a, c) })
	do(func() { VUNPCKHPD(slot(1), a, a) })
	add(a, c, a)
	do(func() { VCVTPD2PS(a, a.AsY()) })
	do(func() { VMOVUPS(a.AsX(), Mem{Base: y}) })
	do(func() { VEXTRACTF32X4(U8(1), a, Mem{Base: y, Index: yStride, Scale: 4}) })
	return steps
}
