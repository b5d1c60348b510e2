package main

import "fmt"

// maxRank is the largest rank of Mamba-3 that has functions of its own.
const maxRank = 4

// ld1lane loads the float32 at r into element i of d.
func (a *asm) ld1lane(d V, i int, r R) {
	a.word(0x0d408000|uint32(i>>1)<<30|uint32(i&1)<<12|uint32(r)<<5|uint32(d), "ld1 {v%d.s}[%d], [x%d]", d, i, r)
}

// trapezoid generates one token's step of the recurrence of Mamba-3 for adjacent channels of one head, 16 states of one at a time.
func trapezoid(a *asm, rank int) {
	a.fn(fmt.Sprintf("trapezoid%dNEON", rank),
		"(sums *float64, h *float32, high, low float32, in, k, q *float32, states, pitch, rounds int)", 0,
		fmt.Sprintf("does what stepTrapezoidGeneric does for rounds channels and rank %d; sums and in have rows of pitch.", rank),
		"states is a positive multiple of 16, rounds is positive.")
	const sums, h, in, k, q, states, pitch, rounds, left, at R = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
	for r, name := range []string{"sums", "h", "in", "k", "q", "states", "pitch", "rounds"} {
		a.load(R(r), name)
	}
	rows := []R{10, 11, 12, 13, 14, 15, 16, 17, 19, 21, 22, 23}[:3*rank] // of keys before, of keys now, of queries
	const before, now, decay, state, next, key, acc V = 0, 1, 2, 4, 8, 12, 16
	a.p("FMOVS %s, F%d", a.param("low"), key)
	a.p("FMOVS %s, F%d", a.param("high"), decay)
	a.p("VMOV %v.S[0], %v.S[1]", key, decay)

	a.label("channels")
	a.p("MOVD %v, %v", in, at)
	for i := range 2 * rank {
		a.ld1lane([]V{before, now}[i/rank], i%rank, at)
		a.p("ADD %v<<2, %v", pitch, at)
	}
	for i, row := range rows {
		switch i {
		case 0:
			a.p("MOVD %v, %v", k, row)
		case 2 * rank:
			a.p("MOVD %v, %v", q, row)
		default:
			a.p("ADD %v<<2, %v, %v", states, rows[i-1], row)
		}
	}
	for i := range V(4 * rank) {
		a.zero(acc + i)
	}
	a.p("MOVD %v, %v", states, left)

	a.label("states")
	sixteen := func(v V, r R) {
		a.ldp(v, 0, r)
		a.ldp(v+2, 32, r)
	}
	add := func(row R, factor V, r int) {
		sixteen(key, row)
		four(func(i V) { a.fmlaElement(next+i, key+i, factor, r) })
	}
	sixteen(state, h)
	four(func(i V) { a.fmulElement(next+i, state+i, decay, 1) })
	add(rows[0], before, 0)
	four(func(i V) { a.fmlaElement(next+i, state+i, decay, 0) })
	for r := 1; r < rank; r++ {
		add(rows[r], before, r)
	}
	for r := range rank {
		add(rows[rank+r], now, r)
	}
	a.stp(next, 0, h)
	a.stp(next+2, 32, h)
	for r := range rank {
		sixteen(key, rows[2*rank+r])
		four(func(i V) { a.three("fmla 4s", acc+4*V(r)+i, next+i, key+i) })
	}
	a.add(64, h)
	a.add(64, rows...)
	a.down(left, 16, "states")

	a.p("MOVD %v, %v", sums, at)
	for r := range V(rank) {
		a.sumLanes(acc+4*r, state, state)
		a.three("faddp 2d", state, state, state)
		a.p("FMOVD F%d, (%v)", state, at)
		a.p("ADD %v<<3, %v", pitch, at)
	}
	a.add(8, sums)
	a.add(4, in)
	a.down(rounds, 1, "channels")
	a.ret()
}

// gateRank generates the gate of one rank.
func gateRank(a *asm) {
	a.fn("gateRankNEON", "(out, sums *float64, d, x, z, mixZ, mixY *float32, n int)", 0,
		"adds (sums[i] + d[i]·x[i]) · silu(z[i]·mixZ[i]) · mixY[i] to out[i] for i < n, as gateRankGeneric does.",
		"n is a positive multiple of 8.")
	const out, sums, d, x, z, mixZ, mixY, n R = 0, 1, 2, 3, 4, 5, 6, 7
	for r, name := range []string{"out", "sums", "d", "x", "z", "mixZ", "mixY", "n"} {
		a.load(R(r), name)
	}
	a.expConstants()
	const sum, v V = 0, 4
	each := func(name string, d, n, m V) { four(func(i V) { a.three(name, d+i, n+i, m+i) }) }
	doubles := func(v V, r R) {
		a.ldp(v, 0, r)
		a.ldp(v+2, 32, r)
	}
	a.label("eight")
	a.load8(v, 29, d)
	a.load8(expV, 29, x)
	doubles(sum, sums)
	each("fmul 2d", v, v, expV)
	each("fadd 2d", sum, sum, v)
	a.load8(v, 29, z)
	a.load8(expV, 29, mixZ)
	each("fmul 2d", v, v, expV)
	a.silu(v)
	each("fmul 2d", sum, sum, v)
	a.load8(v, 29, mixY)
	each("fmul 2d", sum, sum, v)
	doubles(v, out)
	each("fadd 2d", sum, sum, v)
	a.stp(sum, 0, out)
	a.stp(sum+2, 32, out)
	a.add(64, out, sums)
	a.add(32, d, x, z, mixZ, mixY)
	a.down(n, 8, "eight")
	a.ret()
}
