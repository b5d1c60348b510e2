package main

// decayQ are the coefficients q5 … q0 of kernel.decay, log1pQ those q8 … q0 of kernel.softplusOfSum.
var (
	decayQ = []float32{0x1.4308fap-13, 0x1.5f07b4p-10, 0x1.3b2bap-7, 0x1.c6af6ep-5, 0x1.ebfbdep-3, 0x1.62e43p-1}
	log1pQ = []float32{
		0x1.b2f592p-9, -0x1.4b083cp-6, 0x1.d8632ap-5, -0x1.b579c6p-4, 0x1.3a7a82p-3,
		-0x1.935cap-3, 0x1.ff26e2p-3, -0x1.554dfp-2, 0x1.ffffd2p-2,
	}
)

const (
	log2eHigh   = 0x1.715476p0
	log2eLow    = 0x1.4ae0cp-26
	softplusMin = -104
	softplusMax = 20
)

// polynomial evaluates a polynomial of x to x+3 by Horner's rule with fused multiply-adds. It works in p and q, four registers
// each, and returns in which of them the result is.
func (a *asm) polynomial(coefficients []float32, x, p, q V) V {
	four(func(i V) { a.constant(p+i, single(coefficients[0])) })
	for _, c := range coefficients[1:] {
		four(func(i V) { a.constant(q+i, single(c)) })
		four(func(i V) { a.three("fmla 4s", q+i, p+i, x+i) })
		p, q = q, p
	}
	return p
}

// onePlus sets high and low to 2^r as the exact sum of two, as kernel.onePlus does. It works in p, q and r; low may be p or q,
// high the other.
func (a *asm) onePlus(high, low, r, p, q, one V) {
	result := a.polynomial(decayQ, r, p, q)
	four(func(i V) { a.three("fmul 4s", low+i, result+i, r+i) })
	four(func(i V) { a.three("fadd 4s", high+i, low+i, one) })
	four(func(i V) { a.three("fsub 4s", r+i, high+i, one) })
	four(func(i V) { a.three("fsub 4s", low+i, low+i, r+i) })
}

// softplus generates softplus of sums, 16 at a time in four registers side by side, operation for operation as
// kernel.softplusOfSum does. V28 to V31 hold constants in turns.
func softplus(a *asm) {
	a.fn("softplusNEON", "(dt, bias *float32, n int)", 0,
		"sets dt[i] to softplus(dt[i] + bias[i]) for i < n, as softplusRowGeneric does. n is a positive multiple of 16.")
	const dt, bias, n R = 0, 1, 2
	a.load(dt, "dt")
	a.load(bias, "bias")
	a.load(n, "n")
	a.useConstants()
	const x, low, e, r, p, q, u V = 0, 4, 8, 12, 16, 20, 24
	const c0, c1, one V = 28, 29, 30
	a.constant(one, single(1))
	each := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m+i) }) }
	with := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m) }) }

	a.label("sixteen")
	for i := range V(2) { // a in p, b in q
		a.ldp(p+2*i, 32*int(i), dt)
		a.ldp(q+2*i, 32*int(i), bias)
	}
	each("fadd 4s", x, p, q)
	each("fsub 4s", r, x, p)
	each("fsub 4s", e, x, r)
	each("fsub 4s", low, p, e)
	each("fsub 4s", r, q, r)
	each("fadd 4s", low, low, r)

	// w = -|x| in p, wLow in q, which has the sign of x and -|x| multiplied.
	a.constant(c0, words(1<<31))
	with("orr 16b", p, x, c0)
	four(func(i V) { a.three("bic 16b", e+i, c0, x+i) })
	each("eor 16b", q, low, e)
	a.constant(c0, single(softplusMin))
	four(func(i V) { a.three("fcmgt 4s", e+i, c0, p+i) })
	each("bic 16b", q, q, e)
	with("fmax 4s", p, p, c0)

	a.constant(c0, single(log2eHigh))
	a.constant(c1, single(log2eLow))
	with("fmul 4s", e, p, c0)
	four(func(i V) { a.two("frintn 4s 4s", e+i, e+i) })
	four(func(i V) { a.two("fneg 4s 4s", r+i, e+i) })
	with("fmla 4s", r, p, c0)
	with("fmla 4s", r, p, c1)
	with("fmla 4s", r, q, c0)
	a.onePlus(u, q, r, p, q, one)

	// Both times 2^e, by half of the exponent twice: the first product is normal, and so exact.
	a.constant(c0, words(127))
	four(func(i V) { a.two("fcvtns 4s 4s", e+i, e+i) })
	four(func(i V) { a.shift("sshr 4s", r+i, e+i, 1) })
	each("sub 4s", e, e, r)
	for _, half := range []V{r, e} {
		with("add 4s", half, half, c0)
		four(func(i V) { a.shift("shl 4s", half+i, half+i, 23) })
		each("fmul 4s", u, u, half)
		each("fmul 4s", q, q, half)
	}

	poly := a.polynomial(log1pQ, u, e, p)
	each("fmul 4s", poly, poly, u)
	each("fmls 4s", q, poly, u)
	each("fadd 4s", u, u, q)

	// x itself if it is above 20 or NaN; x + (u + low) if it is positive; u otherwise.
	each("fadd 4s", low, u, low)
	each("fadd 4s", low, x, low)
	a.zero(c0)
	a.constant(c1, single(softplusMax))
	with("fcmgt 4s", e, x, c0)
	each("bsl 16b", e, low, u)
	four(func(i V) { a.three("fcmge 4s", p+i, c1, x+i) })
	each("bsl 16b", p, e, x)
	for i := range V(2) {
		a.stp(p+2*i, 32*int(i), dt)
	}
	a.add(64, dt, bias)
	a.down(n, 16, "sixteen")
	a.ret()
}
