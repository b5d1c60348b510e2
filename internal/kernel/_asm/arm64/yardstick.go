package main

// read generates reading alone, in four streams.
func read(a *asm) {
	a.fn("xorNEON", "(data *byte, quarter int) uint64", 0,
		"folds 4·quarter bytes into one word as xorGeneric does. quarter is a positive multiple of 64.")
	const data, quarter R = 0, 4
	a.load(data, "data")
	a.load(quarter, "quarter")
	for i := data + 1; i < 4; i++ {
		a.p("ADD %v, %v, %v", quarter, i-1, i)
	}
	four(func(i V) { a.zero(16 + i) })
	a.label("line")
	for i := range R(4) {
		a.ldp(0, 0, i)
		a.ldp(2, 32, i)
		a.add(64, i)
		four(func(i V) { a.three("eor 16b", 16+i, 16+i, i) })
	}
	a.down(quarter, 64, "line")
	a.three("eor 16b", 16, 16, 17)
	a.three("eor 16b", 18, 18, 19)
	a.three("eor 16b", 16, 16, 18)
	a.p("VMOV V16.D[0], R0")
	a.p("VMOV V16.D[1], R1")
	a.p("EOR R1, R0")
	a.p("MOVD R0, %s", a.param("ret"))
	a.ret()
}

// multiplyAdds is how many values multiplyAdd works on in a round.
const multiplyAdds = 24 * 4

// multiplyAdd generates multiply-adds alone, none of which waits for another.
func multiplyAdd(a *asm) {
	a.fn("multiplyAddNEON", "(rounds int)", 0, "does 96·rounds multiply-adds of float32 values. rounds is positive.")
	a.load(0, "rounds")
	for i := range V(multiplyAdds/4 + 2) {
		a.zero(i)
	}
	a.label("round")
	for i := range V(multiplyAdds / 4) {
		a.three("fmla 4s", 2+i, 0, 1)
	}
	a.down(0, 1, "round")
	a.ret()
}
