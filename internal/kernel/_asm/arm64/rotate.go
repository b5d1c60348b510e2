package main

import "math"

// sinQ and cosQ are the coefficients q5 … q0 of kernel.sincos.
var (
	sinQ = []float64{1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6}
	cosQ = []float64{1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -1.0 / 2}
)

// turn generates the angles of Mamba-3, 8 at a time in four registers side by side: they move on, and their sines and cosines,
// operation for operation as kernel.turnGeneric has it.
func turn(a *asm) {
	a.fn("turnNEON", "(angles, rates, low *float32, dt float64, cos, sin *float64, n int)", 0,
		"moves angles[i] on by (rates[i] + low[i])·dt and sets cos[i] and sin[i] for i < n, as turnGeneric does.",
		"n is a positive multiple of 8.")
	const angles, rates, low, cos, sin, n R = 0, 1, 2, 3, 4, 5
	for r, name := range []string{"angles", "rates", "low", "cos", "sin", "n"} {
		a.load(R(r), name)
	}
	a.useConstants()
	const x, quarter, z, s, c, t V = 0, 4, 8, 12, 16, 20
	const dt, c0 V = 31, 24 // c0 to c0+3: constants, or what a pair of loads goes through
	a.p("FMOVD %s, F%d", a.param("dt"), dt)
	a.dupDouble(dt, dt, 0)
	each := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m+i) }) }
	with := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m) }) }

	a.label("eight")
	a.load8(x, c0, rates)
	a.load8(t, c0, low)
	each("fadd 2d", x, x, t)
	with("fmul 2d", x, x, dt)
	a.load8(t, c0, angles)
	each("fadd 2d", x, t, x)
	a.constant(c0, double(1/(2*math.Pi)))
	with("fmul 2d", t, x, c0)
	four(func(i V) { a.two("frintm 2d 2d", t+i, t+i) })
	a.constant(c0, double(2*math.Pi))
	with("fmul 2d", t, t, c0)
	each("fsub 2d", x, x, t)
	a.store8(x, c0, angles)
	a.load8(x, c0, angles)

	a.constant(c0, double(2/math.Pi))
	a.constant(c0+1, double(roundBias))
	a.constant(c0+2, double(math.Pi/2))
	with("fmul 2d", quarter, x, c0)
	with("fadd 2d", quarter, quarter, c0+1)
	with("fsub 2d", t, quarter, c0+1)
	with("fmls 2d", x, t, c0+2)
	each("fmul 2d", z, x, x)
	s0 := a.doubles(sinQ, z, s, t) // it ends in s or t; that of the cosine has the other
	free := s + t - s0
	c1 := a.doubles(cosQ, z, c, free)
	sine, cosine, odd := c+free-c1, x, z
	four(func(i V) { a.move(sine+i, x+i) })
	each("fmul 2d", x, z, x)
	each("fmla 2d", sine, s0, x)
	a.constant(c0, double(1))
	four(func(i V) { a.move(cosine+i, c0) })
	each("fmla 2d", cosine, c1, z)

	// In odd quarters they change places; the sine is negative in the second half, the cosine in the second and third quarter.
	four(func(i V) { a.shift("shl 2d", odd+i, quarter+i, 63) })
	four(func(i V) { a.shift("sshr 2d", odd+i, odd+i, 63) })
	four(func(i V) { a.move(c0+i, odd+i) })
	each("bsl 16b", odd, cosine, sine)
	each("bsl 16b", c0, sine, cosine)
	four(func(i V) { a.shift("ushr 2d", x+i, quarter+i, 1) })
	four(func(i V) { a.shift("shl 2d", x+i, x+i, 63) })
	each("eor 16b", odd, odd, x)
	a.constant(x, quad{1, 1})
	with("add 2d", quarter, quarter, x)
	four(func(i V) { a.shift("ushr 2d", x+i, quarter+i, 1) })
	four(func(i V) { a.shift("shl 2d", x+i, x+i, 63) })
	each("eor 16b", c0, c0, x)
	for i := range V(2) {
		a.stp(odd+2*i, 32*int(i), sin)
		a.stp(c0+2*i, 32*int(i), cos)
	}
	a.add(64, cos, sin)
	a.add(32, angles, rates, low)
	a.down(n, 8, "eight")
	a.ret()
}

// doubles evaluates a polynomial of x to x+3 in float64 as polynomial does.
func (a *asm) doubles(coefficients []float64, x, p, q V) V {
	four(func(i V) { a.constant(p+i, double(coefficients[0])) })
	for _, c := range coefficients[1:] {
		four(func(i V) { a.constant(q+i, double(c)) })
		four(func(i V) { a.three("fmla 2d", q+i, p+i, x+i) })
		p, q = q, p
	}
	return p
}

// biased loads 8 values of x + bias in float64 into d to d+3; it uses t to t+4.
func (a *asm) biased(d, t V, x, bias R) {
	a.load8(d, t+4, x)
	a.load8(t, t+4, bias)
	four(func(i V) { a.three("fadd 2d", d+i, d+i, t+i) })
}

// rotated turns the pairs in p and q, by cosines and sines in c and s, registers of two each; it uses t to t+3.
func (a *asm) rotated(p, q, c, s, t V) {
	each := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m+i) }) }
	each("fmul 2d", t, q, s)
	each("fmul 2d", q, q, c)
	each("fmul 2d", s, p, s)
	each("fmul 2d", p, p, c)
	each("fsub 2d", p, p, t)
	each("fadd 2d", q, s, q)
}

// rotateNeighbours generates the turning of 8 pairs of neighbours at a time.
func rotateNeighbours(a *asm) {
	a.fn("rotateNeighboursNEON", "(y, x, bias *float32, cos, sin *float64, n int)", 0,
		"does what rotateNeighboursGeneric does for n pairs. n is a positive multiple of 8.")
	const y, x, bias, cos, sin, n R = 0, 1, 2, 3, 4, 5
	for r, name := range []string{"y", "x", "bias", "cos", "sin", "n"} {
		a.load(R(r), name)
	}
	const low, p, q, c, s, t V = 0, 8, 12, 16, 20, 24
	a.label("eight")
	for half := range V(2) {
		a.biased(low, t, x, bias)
		a.add(32, x, bias)
		for i := range V(2) {
			a.three("zip1 2d", p+2*half+i, low+2*i, low+2*i+1)
			a.three("zip2 2d", q+2*half+i, low+2*i, low+2*i+1)
		}
	}
	for i := range V(2) {
		a.ldp(c+2*i, 32*int(i), cos)
		a.ldp(s+2*i, 32*int(i), sin)
	}
	a.rotated(p, q, c, s, t)
	for half := range V(2) {
		for i := range V(2) {
			a.three("zip1 2d", low+2*i, p+2*half+i, q+2*half+i)
			a.three("zip2 2d", low+2*i+1, p+2*half+i, q+2*half+i)
		}
		a.store8(low, t, y)
		a.add(32, y)
	}
	a.add(64, cos, sin)
	a.down(n, 8, "eight")
	a.ret()
}

// rotateHalves generates the turning of 8 pairs at a time that are half of a row apart.
func rotateHalves(a *asm) {
	a.fn("rotateHalvesNEON", "(y, x, bias *float32, cos, sin *float64, half, n int)", 0,
		"does what rotateHalvesGeneric does for n pairs. n is a positive multiple of 8.")
	const y, x, bias, cos, sin, half, n, x2, bias2, y2 R = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
	for r, name := range []string{"y", "x", "bias", "cos", "sin", "half", "n"} {
		a.load(R(r), name)
	}
	for i, r := range []R{x, bias, y} {
		a.p("ADD %v<<2, %v, %v", half, r, x2+R(i))
	}
	const p, q, c, s, t V = 8, 12, 16, 20, 24
	a.label("eight")
	a.biased(p, t, x, bias)
	a.biased(q, t, x2, bias2)
	for i := range V(2) {
		a.ldp(c+2*i, 32*int(i), cos)
		a.ldp(s+2*i, 32*int(i), sin)
	}
	a.rotated(p, q, c, s, t)
	a.store8(p, t, y)
	a.store8(q, t, y2)
	a.add(64, cos, sin)
	a.add(32, y, x, bias, y2, x2, bias2)
	a.down(n, 8, "eight")
	a.ret()
}
