package main

// What works in float64 takes 8 elements at a time, in four registers, side by side: each step waits for the one before.
// The exponential has fixed registers:
//
//	V0-V7    its caller's
//	V8-V11   the argument, and the result
//	V12-V23  what it works with
//	V24-V28  constants
//	V29-V31  its caller's
const (
	expV V = 8
	minV V = 24 // -expBound
	maxV V = 25 // expBound
	logV V = 26 // log2 e
	bigV V = 27 // roundBias
	oneV V = 28 // 1
)

// exp2Q are the coefficients q7 … q0 of kernel.exp2, and 1.
var exp2Q = []float64{
	0x1.663487d8abc81p-20, 0x1.00ee071c7c030p-16, 0x1.4306c1165a375p-13, 0x1.5d872975c4ed2p-10,
	0x1.3b2ab7f3b3217p-7, 0x1.c6b08defc25fdp-5, 0x1.ebfbdff7c5a79p-3, 0x1.62e42fef7a78bp-1, 1,
}

const (
	log2e     = 1.44269504088896338700
	roundBias = 0x1.8p52
	expBound  = 700
)

// four calls f for each of four registers.
func four(f func(i V)) {
	for i := range V(4) {
		f(i)
	}
}

// expConstants loads what exp needs.
func (a *asm) expConstants() {
	a.useConstants()
	a.constant(minV, double(-expBound))
	a.constant(maxV, double(expBound))
	a.constant(logV, double(log2e))
	a.constant(bigV, double(roundBias))
	a.constant(oneV, double(1))
}

// exp replaces expV to expV+3 by their exponentials, operation for operation as kernel.exp does. NaN is kept.
func (a *asm) exp() {
	const n, p, q V = 12, 16, 20
	each := func(name string, d, x, y V) { four(func(i V) { a.three(name, d+i, x+i, y) }) }
	each("fmin 2d", expV, expV, maxV)
	each("fmax 2d", expV, expV, minV)
	each("fmul 2d", expV, expV, logV)
	each("fadd 2d", n, expV, bigV)
	each("fsub 2d", p, n, bigV)
	four(func(i V) { a.three("fsub 2d", expV+i, expV+i, p+i) })
	from, to := p, q
	four(func(i V) { a.constant(from+i, double(exp2Q[0])) })
	for _, c := range exp2Q[1:] {
		four(func(i V) { a.constant(to+i, double(c)) })
		four(func(i V) { a.three("fmla 2d", to+i, from+i, expV+i) })
		from, to = to, from
	}
	four(func(i V) { a.shift("shl 2d", n+i, n+i, 52) })
	four(func(i V) { a.three("add 2d", expV+i, from+i, n+i) })
}

// silu replaces v to v+3 by v / (1 + exp(-v)), as kernel.silu does.
func (a *asm) silu(v V) {
	four(func(i V) { a.two("fneg 2d 2d", expV+i, v+i) })
	a.exp()
	four(func(i V) { a.three("fadd 2d", expV+i, expV+i, oneV) })
	four(func(i V) { a.three("fdiv 2d", v+i, v+i, expV+i) })
}

// load8 widens 8 float32 from r on into d to d+3, by way of t and t+1.
func (a *asm) load8(d, t V, r R) {
	a.ldp(t, 0, r)
	a.widenPair(d, t)
	a.widenPair(d+2, t+1)
}

// store8 rounds v to v+3 to float32 from r on, by way of t and t+1.
func (a *asm) store8(v, t V, r R) {
	a.narrowPair(t, v)
	a.narrowPair(t+1, v+2)
	a.stp(t, 0, r)
}

func negExp(a *asm) {
	a.fn("negExpNEON", "(a, aLog *float32, n int)", 0, "sets a[i] to -exp(aLog[i]) for i < n, as NegExp does. n is a positive multiple of 8.")
	const to, from, n R = 0, 1, 2
	a.load(to, "a")
	a.load(from, "aLog")
	a.load(n, "n")
	a.expConstants()
	a.label("eight")
	a.load8(expV, 29, from)
	a.exp()
	four(func(i V) { a.two("fneg 2d 2d", expV+i, expV+i) })
	a.store8(expV, 29, to)
	a.add(32, to, from)
	a.down(n, 8, "eight")
	a.ret()
}

func gate(a *asm) {
	a.fn("gateNEON", "(y *float32, sums *float64, d, x, z *float32, n int)", 0,
		"sets y[i] to (sums[i] + d[i]·x[i]) · silu(z[i]) for i < n, as gateGeneric does. n is a positive multiple of 8.")
	const y, sums, d, x, z, n R = 0, 1, 2, 3, 4, 5
	for r, name := range []string{"y", "sums", "d", "x", "z", "n"} {
		a.load(R(r), name)
	}
	a.expConstants()
	const sum, v V = 0, 4
	a.label("eight")
	a.load8(v, 29, d)
	a.load8(expV, 29, x)
	a.ldp(sum, 0, sums)
	a.ldp(sum+2, 32, sums)
	four(func(i V) { a.three("fmul 2d", v+i, v+i, expV+i) })
	four(func(i V) { a.three("fadd 2d", sum+i, sum+i, v+i) })
	a.load8(v, 29, z)
	a.silu(v)
	four(func(i V) { a.three("fmul 2d", v+i, sum+i, v+i) })
	a.store8(v, 29, y)
	a.add(64, sums)
	a.add(32, y, d, x, z)
	a.down(n, 8, "eight")
	a.ret()
}

func conv(a *asm) {
	a.fn("convNEON", "(out *float32, rows *[]float32, taps *float32, tapStride int, bias *float32, k, n int)", 0,
		"sets out[c] to silu(bias[c] + Σ_i taps[i·tapStride + c]·rows[i][c]) for c < n, as convRowGeneric does.",
		"k, the number of rows, is positive and n a positive multiple of 8.")
	const out, rows, taps, stride, bias, k, n, at, row, tap, left, data R = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	for r, name := range []string{"out", "rows", "taps", "tapStride", "bias", "k", "n"} {
		a.load(R(r), name)
	}
	a.p("LSL $2, %v", stride)
	a.p("MOVD ZR, %v", at) // in bytes
	a.expConstants()
	const sum, term V = 0, 4
	a.label("eight")
	a.load8(sum, 29, bias)
	a.p("MOVD %v, %v", rows, row)
	a.p("MOVD %v, %v", taps, tap)
	a.p("MOVD %v, %v", k, left)
	a.label("tap")
	a.p("MOVD.P 24(%v), %v", row, data) // a slice begins with its pointer
	a.p("ADD %v, %v", at, data)
	a.load8(term, 29, tap)
	a.load8(expV, 29, data)
	a.p("ADD %v, %v", stride, tap)
	four(func(i V) { a.three("fmul 2d", term+i, term+i, expV+i) })
	four(func(i V) { a.three("fadd 2d", sum+i, sum+i, term+i) })
	a.down(left, 1, "tap")
	a.silu(sum)
	a.store8(sum, 29, out)
	a.add(32, out, taps, bias, at)
	a.down(n, 8, "eight")
	a.ret()
}
