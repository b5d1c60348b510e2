package main

// narrow generates the encoding of float32 as 16 bits. convert makes the 8 values in v and v+1 those in v+8.
func narrow(a *asm, name string, convert func(v V)) {
	a.fn("narrow"+name+"NEON", "(dst *byte, src *float32, n int)", 0,
		"encodes src[:n] into dst[:2n] as tensor.NarrowF32 does for "+name+". n is a positive multiple of 16.")
	const dst, src, n R = 0, 1, 2
	a.load(dst, "dst")
	a.load(src, "src")
	a.load(n, "n")
	a.useConstants()
	a.constant(16, words(1))
	a.constant(17, words(0x7fff))
	a.constant(18, words(0x400000))
	a.label("block")
	for half := range V(2) {
		a.ldp(2*half, 32*int(half), src)
		convert(2 * half)
	}
	a.p("FSTPQ (F8, F10), (%v)", dst)
	a.add(64, src)
	a.add(32, dst)
	a.down(n, 16, "block")
	a.ret()
}

// narrowF16 has an instruction: to nearest, ties to even; a NaN keeps its upper bits and becomes quiet.
func narrowF16(a *asm) {
	narrow(a, "F16", func(v V) {
		a.two("fcvtn 4h 4s", v+8, v)
		a.two("fcvtn2 8h 4s", v+8, v+1)
	})
}

// narrowBF16 adds half a unit of the place that stays, less one where the result would be odd otherwise.
// A NaN keeps its upper bits and becomes quiet.
func narrowBF16(a *asm) {
	const odd, quiet, number V = 20, 21, 22
	narrow(a, "BF16", func(v V) {
		for x := v; x < v+2; x++ {
			a.shift("ushr 4s", odd, x, 16)
			a.three("and 16b", odd, odd, 16)
			a.three("add 4s", odd, odd, 17)
			a.three("orr 16b", quiet, x, 18)
			a.three("fcmeq 4s", number, x, x)
			a.three("add 4s", odd, odd, x)
			a.three("bsl 16b", number, odd, quiet)
			a.move(x, number)
		}
		a.three("uzp2 8h", v+8, v, v+1)
	})
}

func maxAbsBits(a *asm) {
	a.fn("maxAbsBitsNEON", "(v *float32, n int) uint32", 0, "returns what maxAbsBitsGeneric returns for v[:n].", "n is a positive multiple of 16.")
	const v, n R = 0, 1
	a.load(v, "v")
	a.load(n, "n")
	for i := range V(4) {
		a.zero(4 + i)
	}
	a.label("block")
	a.ldp(0, 0, v)
	a.ldp(2, 32, v)
	for i := range V(4) {
		a.two("fabs 4s 4s", i, i)
		a.three("umax 4s", 4+i, 4+i, i)
	}
	a.add(64, v)
	a.down(n, 16, "block")
	a.three("umax 4s", 4, 4, 5)
	a.three("umax 4s", 6, 6, 7)
	a.three("umax 4s", 4, 4, 6)
	a.word(0x6eb0a880|4, "umaxv s4, v4.4s")
	a.p("FMOVS F4, %s", a.param("ret"))
	a.ret()
}
