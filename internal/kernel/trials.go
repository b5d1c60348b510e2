package kernel

// Trials are lanes ways to round some values to integer codes, and how good each is. A code q stands for S·q - M.
type Trials struct {
	S, M [lanes]float32 // S of 0: all codes are 0
	// A value x is y = x·T + B in steps of S, and its code the integer nearest to y among those that are allowed.
	T, B [lanes]float32
	// Σ w·q, Σ w·q², Σ w·d·q and Σ w·d² for weights w, where d = y - q is what rounding loses. Small differences are summed, not
	// large numbers that nearly cancel, so float32 is enough.
	Q, QQ, DQ, DD [lanes]float32
	// The weighted squared error, what it would be with another M, with another S and no M, and with another S and M, which is
	// then Min. Those without M are not numbers, or infinite, if all codes are 0.
	Error, Moved, Alone, Best, Min [lanes]float32
	// By Scan alone: Σ w·x·q, and the S that Alone and Best are for.
	XQ, AloneS, BestS [lanes]float32
	// Σ w, Σ w·x and Σ w·x² of the values, and 1/Σ w.
	Sum, First, Squares, PerSum float32
}

// magic is added to and subtracted from numbers below 2^22, which rounds them.
const magic = 3 << 22

// fewest is the least spread of codes that is not taken for an error of rounding, as a share of Σ w·q².
const fewest = 1e-5

// Round fills in everything but S, M, and the sums over the values, for values x of weights w and codes from lo to hi.
func (t *Trials) Round(x, w []float32, lo, hi float32) {
	if len(x) > 0 {
		cpu.roundTrials(t, &x[0], &w[:len(x)][0], len(x), lo, hi)
	}
}

// roundTrialsGeneric is Round. No product is fused with a sum, so that every instruction set can do the same.
func roundTrialsGeneric(t *Trials, x, w []float32, lo, hi float32) {
	w = w[:len(x)]
	for lane, s := range t.S {
		scale := float32(0)
		if s != 0 {
			scale = 1 / s
		}
		b := float32(t.M[lane] * scale)
		var sumQ, sumQQ, sumDQ, sumDD float32
		for i, v := range x {
			y := float32(v*scale) + b
			q := y
			if q < lo {
				q = lo
			}
			if q > hi {
				q = hi
			}
			q = float32(q+magic) - magic
			d := y - q
			wd, wq := float32(w[i]*d), float32(w[i]*q)
			sumQ += wq
			sumQQ += float32(wq * q)
			sumDQ += float32(wd * q)
			sumDD += float32(wd * d)
		}
		t.T[lane], t.B[lane] = scale, b
		t.Q[lane], t.QQ[lane], t.DQ[lane], t.DD[lane] = sumQ, sumQQ, sumDQ, sumDD
		t.judge(lane)
	}
}

// judge completes a lane whose sums are known.
func (t *Trials) judge(lane int) {
	s, m, b, w := t.S[lane], t.M[lane], t.B[lane], t.Sum
	q, qq, dq, dd := t.Q[lane], t.QQ[lane], t.DQ[lane], t.DD[lane]
	perW, square := t.PerSum, float32(s*s)
	d := float32(float32(t.First*t.T[lane])+float32(b*w)) - q // Σ w·d
	meanQ, meanD := float32(q*perW), float32(d*perW)
	moved := dd - float32(d*meanD)
	t.Error[lane] = float32(square * dd)
	t.Moved[lane] = float32(square * moved)
	if s == 0 {
		flat := t.Squares + float32(m*(float32(m*w)+float32(t.First+t.First)))
		t.Error[lane] += flat
		t.Moved[lane] += flat
	}
	rest := dq - float32(b*q)
	alone := float32(dd-float32(float32(b+b)*d)) + float32(float32(b*b)*w)
	t.Alone[lane] = float32(square * (alone - float32(rest*float32(rest/qq))))
	spread, both := qq-float32(q*meanQ), dq-float32(meanD*q)
	if least := float32(fewest * qq); spread < least {
		spread = least
	}
	a := both / spread
	t.Best[lane] = float32(square * (moved - float32(both*a)))
	t.Min[lane] = float32(s * (float32(b-meanD) + float32(a*meanQ)))
}

// least is below every sum of squares of codes that matters, and keeps a division by none of them finite.
const least = 1e-30

// Scan is Round without DQ and DD, in less time. Errors are differences of the large sums Q, QQ and XQ, so it is for errors that
// are not a small part of Squares. wx are the products of w and x.
func (t *Trials) Scan(x, w, wx []float32, lo, hi float32) {
	if len(x) > 0 {
		cpu.scanTrials(t, &x[0], &w[:len(x)][0], &wx[:len(x)][0], len(x), lo, hi)
	}
}

// scanTrialsGeneric is Scan.
func scanTrialsGeneric(t *Trials, x, w, wx []float32, lo, hi float32) {
	w, wx = w[:len(x)], wx[:len(x)]
	for lane, s := range t.S {
		scale := float32(0)
		if s != 0 {
			scale = 1 / s
		}
		b := float32(t.M[lane] * scale)
		var sumQ, sumQQ, sumXQ float32
		for i, v := range x {
			q := float32(v*scale) + b
			if q < lo {
				q = lo
			}
			if q > hi {
				q = hi
			}
			q = float32(q+magic) - magic
			wq := float32(w[i] * q)
			sumQ += wq
			sumQQ += float32(wq * q)
			sumXQ += float32(wx[i] * q)
		}
		t.T[lane], t.B[lane] = scale, b
		t.Q[lane], t.QQ[lane], t.XQ[lane] = sumQ, sumQQ, sumXQ
		t.judgeScan(lane)
	}
}

// judgeScan completes a lane whose sums are known.
func (t *Trials) judgeScan(lane int) {
	s, m, q, qq, xq := t.S[lane], t.M[lane], t.Q[lane], t.QQ[lane], t.XQ[lane]
	tilted := xq + float32(m*q)
	deep := float32(m * (float32(m*t.Sum) + float32(t.First+t.First)))
	t.Error[lane] = t.Squares + float32(float32(s*(float32(s*qq)-float32(tilted+tilted)))+deep)
	alone := xq / max(qq, least)
	t.AloneS[lane], t.Alone[lane] = alone, t.Squares-float32(xq*alone)
	// About the means.
	meanQ, mean := float32(q*t.PerSum), float32(t.First*t.PerSum)
	squares := t.Squares - float32(t.First*mean)
	qq, xq = qq-float32(q*meanQ), xq-float32(q*mean)
	t.Moved[lane] = squares + float32(s*(float32(s*qq)-float32(xq+xq)))
	a := xq / max(qq, float32(fewest*t.QQ[lane]), least)
	t.BestS[lane], t.Best[lane] = a, squares-float32(xq*a)
	t.Min[lane] = float32(a*meanQ) - mean
}
