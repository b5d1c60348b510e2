package main

// Offsets of the fields of kernel.Trials, in bytes: arrays of 16 lanes, then four single values.
const (
	trialS = 64 * iota
	trialM
	trialT
	trialB
	trialQ
	trialQQ
	trialDQ
	trialDD
	trialError
	trialMoved
	trialAlone
	trialBest
	trialMin
	trialXQ
	trialAloneS
	trialBestS
	trialSums
)

// roundTrials generates the rounding of values in 16 ways at once, a lane each.
//
// V0 to V15 hold the four sums of each quarter of the lanes, V16 to V19 T and V20 to V23 B.
func roundTrials(a *asm) {
	a.fn("roundTrialsNEON", "(t *float32, x, w *float32, n int, lo, hi float32)", 0,
		"completes the Trials at t for x[:n] and w[:n], as roundTrialsGeneric does. n is positive.")
	const t, x, w, n, at, left R = 0, 1, 2, 3, 4, 5
	const scale, b, lo, hi, magic, xV, wV, d, q, term V = 16, 20, 24, 25, 26, 27, 28, 29, 30, 31
	for r, name := range []string{"t", "x", "w", "n"} {
		a.load(R(r), name)
	}
	a.useConstants()
	a.beginTrials(t, scale, b)
	for i, name := range []string{"lo", "hi"} {
		v := lo + V(i)
		a.p("FMOVS %s, F%d", a.param(name), v)
		a.dup(v, v, 0)
	}
	a.constant(magic, single(3<<22))
	for i := range V(16) {
		a.zero(i)
	}
	a.label("value")
	a.ld1r(xV, x)
	for i := range V(4) {
		a.ld1r(wV, w)
		a.three("fmul 4s", d, xV, scale+i)
		a.three("fadd 4s", d, d, b+i)
		a.three("fmax 4s", q, d, lo)
		a.three("fmin 4s", q, q, hi)
		a.three("fadd 4s", q, q, magic)
		a.three("fsub 4s", q, q, magic)
		a.three("fsub 4s", d, d, q)
		a.three("fmul 4s", term, wV, d)
		a.three("fmul 4s", wV, wV, q)
		a.three("fadd 4s", i, i, wV)
		a.three("fmul 4s", wV, wV, q)
		a.three("fadd 4s", 4+i, 4+i, wV)
		a.three("fmul 4s", q, term, q)
		a.three("fadd 4s", 8+i, 8+i, q)
		a.three("fmul 4s", term, term, d)
		a.three("fadd 4s", 12+i, 12+i, term)
	}
	a.add(4, x, w)
	a.down(n, 1, "value")
	for i := range V(8) {
		a.stp(2*i, trialQ+32*int(i), t)
	}
	a.judgeTrials(t, at, left)
	a.ret()
}

// beginTrials sets T and B, in memory and in registers from scale and b on.
func (a *asm) beginTrials(t R, scale, b V) {
	const one, zero, s, m V = 0, 1, 2, 3
	a.constant(one, single(1))
	a.zero(zero)
	for i := range V(4) {
		part := 16 * int(i)
		a.ldr(s, trialS+part, t)
		a.ldr(m, trialM+part, t)
		a.three("fdiv 4s", scale+i, one, s)
		a.three("fcmeq 4s", s, s, zero)
		a.three("bic 16b", scale+i, scale+i, s)
		a.three("fmul 4s", b+i, m, scale+i)
		a.str(scale+i, trialT+part, t)
		a.str(b+i, trialB+part, t)
	}
}

// judgeTrials is judge, from sums in memory, step by step in the same order, for 4 lanes at a time.
func (a *asm) judgeTrials(t, at, left R) {
	const s, b, q, dd, qq, dq, m, square, d, u, meanQ, meanD, moved, v, mask, z V = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	const sum, first, squares, perSum, fewest, zero V = 16, 17, 18, 19, 20, 21
	mul := func(d, n, m V) { a.three("fmul 4s", d, n, m) }
	add := func(d, n, m V) { a.three("fadd 4s", d, n, m) }
	sub := func(d, n, m V) { a.three("fsub 4s", d, n, m) }
	for i := range 4 {
		a.p("ADD $%d, %v, %v", trialSums+4*i, t, at)
		a.ld1r(sum+V(i), at)
	}
	a.constant(fewest, single(1e-5))
	a.zero(zero)
	a.p("MOVD $4, %v", left)
	a.label("lanes")
	for _, l := range []struct {
		v     V
		array int
	}{{s, trialS}, {b, trialB}, {q, trialQ}, {dd, trialDD}, {qq, trialQQ}, {dq, trialDQ}, {m, trialM}, {u, trialT}} {
		a.ldr(l.v, l.array, t)
	}
	mul(square, s, s)
	mul(d, first, u)
	mul(u, b, sum)
	add(d, d, u)
	sub(d, d, q)
	mul(meanQ, q, perSum)
	mul(meanD, d, perSum)
	mul(u, d, meanD)
	sub(moved, dd, u)

	a.three("fcmeq 4s", mask, s, zero)
	mul(u, m, sum)
	add(v, first, first)
	add(u, u, v)
	mul(u, m, u)
	add(u, squares, u) // flat
	for _, e := range []struct {
		of    V
		array int
	}{{dd, trialError}, {moved, trialMoved}} {
		mul(v, square, e.of)
		add(z, v, u)
		a.three("bit 16b", v, z, mask)
		a.str(v, e.array, t)
	}

	mul(u, b, q)
	sub(v, dq, u) // rest
	add(u, b, b)
	mul(u, u, d)
	sub(z, dd, u)
	mul(u, b, b)
	mul(u, u, sum)
	add(z, z, u) // alone
	a.three("fdiv 4s", u, v, qq)
	mul(u, v, u)
	sub(u, z, u)
	mul(u, square, u)
	a.str(u, trialAlone, t)

	mul(u, q, meanQ)
	sub(v, qq, u) // spread
	mul(u, meanD, q)
	sub(z, dq, u) // both
	mul(u, qq, fewest)
	a.three("fmax 4s", v, v, u)
	a.three("fdiv 4s", v, z, v) // a
	mul(u, z, v)
	sub(u, moved, u)
	mul(u, square, u)
	a.str(u, trialBest, t)
	sub(u, b, meanD)
	mul(v, v, meanQ)
	add(u, u, v)
	mul(u, s, u)
	a.str(u, trialMin, t)
	a.add(16, t)
	a.down(left, 1, "lanes")
}

// scanTrials generates the same with fewer sums: V0 to V11 hold those of each quarter of the lanes.
func scanTrials(a *asm) {
	a.fn("scanTrialsNEON", "(t *float32, x, w, wx *float32, n int, lo, hi float32)", 0,
		"completes the Trials at t for x[:n], w[:n] and wx[:n], as scanTrialsGeneric does. n is positive.")
	const t, x, w, wx, n, at, left R = 0, 1, 2, 3, 4, 5, 6
	const scale, b, lo, hi, magic, xV, wV, wxV, q, term V = 16, 20, 24, 25, 26, 27, 28, 29, 30, 31
	for r, name := range []string{"t", "x", "w", "wx", "n"} {
		a.load(R(r), name)
	}
	a.useConstants()
	a.beginTrials(t, scale, b)
	for i, name := range []string{"lo", "hi"} {
		v := lo + V(i)
		a.p("FMOVS %s, F%d", a.param(name), v)
		a.dup(v, v, 0)
	}
	a.constant(magic, single(3<<22))
	for i := range V(12) {
		a.zero(i)
	}
	a.label("scan")
	a.ld1r(xV, x)
	a.ld1r(wV, w)
	a.ld1r(wxV, wx)
	for i := range V(4) {
		a.three("fmul 4s", q, xV, scale+i)
		a.three("fadd 4s", q, q, b+i)
		a.three("fmax 4s", q, q, lo)
		a.three("fmin 4s", q, q, hi)
		a.three("fadd 4s", q, q, magic)
		a.three("fsub 4s", q, q, magic)
		a.three("fmul 4s", term, wV, q)
		a.three("fadd 4s", i, i, term)
		a.three("fmul 4s", term, term, q)
		a.three("fadd 4s", 4+i, 4+i, term)
		a.three("fmul 4s", term, wxV, q)
		a.three("fadd 4s", 8+i, 8+i, term)
	}
	a.add(4, x, w, wx)
	a.down(n, 1, "scan")
	for i := range V(2) {
		a.stp(2*i, trialQ+32*int(i), t)
		a.stp(4+2*i, trialQQ+32*int(i), t)
		a.stp(8+2*i, trialXQ+32*int(i), t)
	}
	a.judgeScan(t, at, left)
	a.ret()
}

// judgeScan is judgeScan, from sums in memory, step by step in the same order, for 4 lanes at a time.
func (a *asm) judgeScan(t, at, left R) {
	const s, m, q, qq, xq, floor, meanQ, u, v V = 0, 1, 2, 3, 4, 5, 6, 7, 8
	const sum, first, squares, perSum, mean, centered, fewest, least V = 16, 17, 18, 19, 20, 21, 22, 23
	mul := func(d, n, m V) { a.three("fmul 4s", d, n, m) }
	add := func(d, n, m V) { a.three("fadd 4s", d, n, m) }
	sub := func(d, n, m V) { a.three("fsub 4s", d, n, m) }
	most := func(d, n, m V) { a.three("fmax 4s", d, n, m) }
	for i := range 4 {
		a.p("ADD $%d, %v, %v", trialSums+4*i, t, at)
		a.ld1r(sum+V(i), at)
	}
	a.constant(fewest, single(1e-5))
	a.constant(least, single(1e-30))
	mul(mean, first, perSum)
	mul(u, first, mean)
	sub(centered, squares, u)
	a.p("MOVD $4, %v", left)
	a.label("scanned")
	for i, array := range []int{trialS, trialM, trialQ, trialQQ, trialXQ} {
		a.ldr(s+V(i), array, t)
	}
	mul(u, m, q)
	add(u, xq, u)
	add(u, u, u) // twice tilted
	mul(v, s, qq)
	sub(u, v, u)
	mul(u, s, u)
	mul(v, m, sum)
	add(floor, first, first)
	add(v, v, floor)
	mul(v, m, v) // deep
	add(u, u, v)
	add(u, squares, u)
	a.str(u, trialError, t)
	most(u, qq, least)
	a.three("fdiv 4s", u, xq, u)
	a.str(u, trialAloneS, t)
	mul(u, xq, u)
	sub(u, squares, u)
	a.str(u, trialAlone, t)

	mul(meanQ, q, perSum)
	mul(floor, qq, fewest)
	most(floor, floor, least)
	mul(u, q, meanQ)
	sub(qq, qq, u)
	mul(u, q, mean)
	sub(xq, xq, u)
	mul(u, s, qq)
	add(v, xq, xq)
	sub(u, u, v)
	mul(u, s, u)
	add(u, centered, u)
	a.str(u, trialMoved, t)
	most(u, qq, floor)
	a.three("fdiv 4s", u, xq, u)
	a.str(u, trialBestS, t)
	mul(v, xq, u)
	sub(v, centered, v)
	a.str(v, trialBest, t)
	mul(u, u, meanQ)
	sub(u, u, mean)
	a.str(u, trialMin, t)
	a.add(16, t)
	a.down(left, 1, "scanned")
}
