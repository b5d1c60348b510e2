package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// read generates the fastest way to look at every byte: eight places at a time, so that the prefetcher follows eight streams.
// Asking for memory ahead of time, as dot products do, gains nothing here.
func read() {
	TEXT("xorAVX2", NOSPLIT, "func(data *byte, eighth int) uint64")
	Pragma("noescape")
	Doc("xorAVX2 folds 8·eighth bytes into one word as xorGeneric does. eighth is a positive multiple of 64.")
	base, eighth := Load(Param("data"), GP64()), Load(Param("eighth"), GP64())
	ptr := rowPointers(base, eighth, 8, 1)
	acc := accumulators(2)
	Label("block")
	for _, p := range ptr {
		for half := range 2 {
			VPXOR(Mem{Base: p, Disp: 32 * half}, acc[half][0], acc[half][0])
		}
		ADDQ(U8(64), p)
	}
	SUBQ(U8(64), eighth)
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

// multiplyAdd generates multiply-adds that wait for nothing: the yardstick of arithmetic. elems is the float32 values of a
// vector.
func multiplyAdd(isa string, elems, chains int, vector func() VecVirtual) {
	TEXT("multiplyAdd"+isa, NOSPLIT, "func(rounds int)")
	Doc(fmt.Sprintf("multiplyAdd%s does %d·rounds multiply-adds of float32 values. rounds is positive.", isa, elems*chains))
	rounds := Load(Param("rounds"), GP64())
	x := vector()
	VXORPS(x.AsY(), x.AsY(), x.AsY())
	acc := make([]VecVirtual, chains)
	for i := range acc {
		acc[i] = vector()
		VXORPS(acc[i].AsY(), acc[i].AsY(), acc[i].AsY())
	}
	Label("round")
	for _, a := range acc {
		VFMADD231PS(x, x, a)
	}
	DECQ(rounds)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}
