package main

// addSquares generates the first half of an RMS norm: the sum of squares in 8 lanes.
func addSquares(a *asm) {
	a.fn("addSquaresNEON", "(lanes *float64, x *float32, n int)", 0,
		"adds x[i]², which is exact, to lanes[i mod 8] for i < n. n is a positive multiple of 8.")
	const lanes, x, n R = 0, 1, 2
	a.load(lanes, "lanes")
	a.load(x, "x")
	a.load(n, "n")
	a.ldp(0, 0, lanes)
	a.ldp(2, 32, lanes)
	a.label("eight")
	a.load8(4, 8, x)
	four(func(i V) { a.three("fmla 2d", i, 4+i, 4+i) })
	a.add(32, x)
	a.down(n, 8, "eight")
	a.stp(0, 0, lanes)
	a.stp(2, 32, lanes)
	a.ret()
}

// scaleRow generates the second half.
func scaleRow(a *asm) {
	a.fn("scaleRowNEON", "(y, x, weight *float32, scale float64, n int)", 0,
		"sets y[i] = x[i]·scale·weight[i] for i < n, as scaleRowGeneric does. n is a positive multiple of 8.")
	const y, x, weight, n R = 0, 1, 2, 3
	for r, name := range []string{"y", "x", "weight", "n"} {
		a.load(R(r), name)
	}
	const scale V = 16
	a.p("FMOVD %s, F%d", a.param("scale"), scale)
	a.dupDouble(scale, scale, 0)
	a.label("eight")
	a.load8(0, 17, x)
	a.load8(4, 17, weight)
	four(func(i V) { a.three("fmul 2d", i, i, scale) })
	four(func(i V) { a.three("fmul 2d", i, i, 4+i) })
	a.store8(0, 17, y)
	a.add(32, y, x, weight)
	a.down(n, 8, "eight")
	a.ret()
}

// addTo generates the residual connection.
func addTo(a *asm) {
	a.fn("addToNEON", "(y, x *float32, n int)", 0, "sets y[i] += x[i] for i < n. n is a positive multiple of 16.")
	const y, x, n R = 0, 1, 2
	a.load(y, "y")
	a.load(x, "x")
	a.load(n, "n")
	a.label("sixteen")
	for i := range V(2) {
		a.ldp(2*i, 32*int(i), y)
		a.ldp(4+2*i, 32*int(i), x)
	}
	four(func(i V) { a.three("fadd 4s", i, i, 4+i) })
	for i := range V(2) {
		a.stp(2*i, 32*int(i), y)
	}
	a.add(64, y, x)
	a.down(n, 16, "sixteen")
	a.ret()
}
