package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// read generates the fastest way to look at every byte: four places at a time, so that the prefetcher follows
// four streams.
func read() {
	TEXT("xorAVX2", NOSPLIT, "func(data *byte, quarter int) uint64")
	Pragma("noescape")
	Doc("xorAVX2 folds 4·quarter bytes into one word as xorGeneric does. quarter is a positive multiple of 64.")
	base, quarter := Load(Param("data"), GP64()), Load(Param("quarter"), GP64())
	ptr := rowPointers(base, quarter, 4, 1)
	acc := accumulators(2)
	Label("block")
	for _, p := range ptr {
		for half := range 2 {
			VPXOR(Mem{Base: p, Disp: 32 * half}, acc[half][0], acc[half][0])
		}
		ADDQ(U8(64), p)
	}
	SUBQ(U8(64), quarter)
	JNZ(LabelRef("block"))

	sum := acc[0][0]
	VPXOR(acc[1][0], sum, sum)
	high := XMM()
	VEXTRACTI128(U8(1), sum, high)
	VPXOR(high, sum.AsX(), sum.AsX())
	VPSRLDQ(U8(8), sum.AsX(), high)
	VPXOR(high, sum.AsX(), sum.AsX())
	word := GP64()
	VMOVQ(sum.AsX(), word)
	VZEROUPPER()
	Store(word, ReturnIndex(0))
	RET()
}
