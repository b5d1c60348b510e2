package main

import "fmt"

const decayMin, decayMax = -126, 127

// scanStep generates one token's step of the selective scan for adjacent channels, 16 states of one at a time.
func scanStep(a *asm) {
	a.fn("scanStepNEON", "(h, rate, b, c, dt, x *float32, sums *float64, states, channels int)", 0,
		"sets sums[i] to what stepGeneric returns for channel i, with h and rate [channels, states], b and c",
		"[states], dt and x [channels]. states is a positive multiple of 16, channels is positive.")
	const h, rate, b, c, dt, x, sums, states, channels, left, in, out R = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	for r, name := range []string{"h", "rate", "b", "c", "dt", "x", "sums", "states", "channels"} {
		a.load(R(r), name)
	}
	a.useConstants()
	const r, state, e, p, q, t V = 0, 4, 8, 12, 16, 20
	const lane, dtV, dtxV, low, high, one, bias V = 24, 25, 26, 27, 28, 29, 30
	a.constant(low, single(decayMin))
	a.constant(high, single(decayMax))
	a.constant(one, single(1))
	a.constant(bias, words(127))
	each := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m+i) }) }
	with := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m) }) }
	sixteen := func(v V, r R) {
		a.ldp(v, 0, r)
		a.ldp(v+2, 32, r)
	}

	a.label("channel")
	a.ld1r(dtV, dt)
	a.ld1r(dtxV, x)
	a.add(4, dt, x)
	a.three("fmul 4s", dtxV, dtV, dtxV)
	a.zero(lane)
	a.p("MOVD %v, %v", b, in)
	a.p("MOVD %v, %v", c, out)
	a.p("MOVD %v, %v", states, left)

	a.label("states")
	sixteen(r, rate)
	with("fmul 4s", r, r, dtV)
	with("fmax 4s", r, r, low) // a NaN is kept
	with("fmin 4s", r, r, high)
	four(func(i V) { a.two("frintn 4s 4s", e+i, r+i) })
	each("fsub 4s", r, r, e)
	four(func(i V) { a.two("fcvtns 4s 4s", e+i, e+i) })
	sixteen(state, h)
	with("add 4s", e, e, bias)
	four(func(i V) { a.shift("shl 4s", e+i, e+i, 23) })
	each("fmul 4s", state, state, e)
	a.onePlus(e, q, r, p, q, one)
	each("fmul 4s", q, state, q)
	sixteen(t, in)
	with("fmla 4s", q, t, dtxV)
	each("fmla 4s", q, state, e)
	sixteen(t, out)
	a.stp(q, 0, h)
	a.stp(q+2, 32, h)
	four(func(i V) { a.three("fmla 4s", lane, q+i, t+i) })
	a.add(64, h, rate, in, out)
	a.down(left, 16, "states")

	a.widenPair(0, lane)
	a.three("fadd 2d", 0, 0, 1)
	a.three("faddp 2d", 0, 0, 0)
	a.p("FMOVD.P F0, 8(%v)", sums)
	a.down(channels, 1, "channel")
	a.ret()
}

// headStep generates one token's step of the recurrence of Mamba-2 for adjacent channels of one head, one or two at once, so
// that they share what is read of b and c.
func headStep(a *asm, at int) {
	a.fn(fmt.Sprintf("stepHead%sNEON", []string{1: "One", 2: "Two"}[at]),
		"(sums *float64, h *float32, dt float64, high, low float32, x, b, c *float32, states, rounds int)", 0,
		fmt.Sprintf("does what stepHeadGeneric does for %d·rounds channels.", at),
		"states is a positive multiple of 16, rounds is positive.")
	const sums, x, b, c, states, rounds, left, in, out, h R = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
	for r, name := range []string{"sums", "x", "b", "c", "states", "rounds"} {
		a.load(R(r), name)
	}
	a.load(h, "h")
	const bV, cV, state, input, high, low, dtx, dt, acc V = 0, 4, 8, 12, 16, 17, 18, 20, 24
	a.p("FMOVD %s, F%d", a.param("dt"), dt)
	a.p("FMOVS %s, F%d", a.param("high"), high)
	a.p("FMOVS %s, F%d", a.param("low"), low)
	a.dup(high, high, 0)
	a.dup(low, low, 0)
	each := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m+i) }) }
	with := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m) }) }

	a.label("channels")
	for i := range at {
		v := dtx + V(i)
		a.p("FMOVS.P 4(%v), F%d", x, v)
		a.p("FCVTSD F%d, F%[1]d", v)
		a.p("FMULD F%d, F%d, F%[2]d", dt, v)
		a.p("FCVTDS F%d, F%[1]d", v)
		a.dup(v, v, 0)
		if i > 0 {
			a.p("ADD %v<<2, %v, %v", states, h+R(i)-1, h+R(i))
		}
	}
	for i := range V(4 * at) {
		a.zero(acc + i)
	}
	a.p("MOVD %v, %v", b, in)
	a.p("MOVD %v, %v", c, out)
	a.p("MOVD %v, %v", states, left)

	a.label("states")
	for i := range V(2) {
		a.ldp(bV+2*i, 32*int(i), in)
		a.ldp(cV+2*i, 32*int(i), out)
	}
	for i := range at {
		row := h + R(i)
		a.ldp(state, 0, row)
		a.ldp(state+2, 32, row)
		with("fmul 4s", input, state, low)
		with("fmla 4s", input, bV, dtx+V(i))
		with("fmla 4s", input, state, high)
		a.stp(input, 0, row)
		a.stp(input+2, 32, row)
		each("fmla 4s", acc+4*V(i), input, cV)
		a.add(64, row)
	}
	a.add(64, in, out)
	a.down(left, 16, "states")

	for i := range V(at) {
		a.sumLanes(acc+4*i, 0, 0)
		a.three("faddp 2d", 0, 0, 0)
		a.p("FMOVD.P F0, 8(%v)", sums)
	}
	if at > 1 { // the rows follow each other
		a.p("MOVD %v, %v", h+R(at)-1, h)
	}
	a.down(rounds, 1, "channels")
	a.ret()
}
