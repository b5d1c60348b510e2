package kernel

// Trials are lanes ways to round values to integer codes, and the sums that decide how good each is.
type Trials struct {
	// A value x is y = x·T + B in steps of a code, and its code q the integer nearest to y among those that are allowed.
	T, B [lanes]float32
	// Σ w·q, Σ w·q², Σ w·d·q and Σ w·d² for weights w, where d = y - q is what rounding loses. Small differences are summed, not
	// large numbers that nearly cancel, so float32 is enough.
	Q, QQ, DQ, DD [lanes]float32
}

// magic is added to and subtracted from numbers below 2^22, which rounds them.
const magic = 3 << 22

// Round fills in the sums for values x of weights w, as many, and codes from lo to hi.
func (t *Trials) Round(x, w []float32, lo, hi float32) {
	if len(x) > 0 {
		cpu.roundTrials(t, &x[0], &w[:len(x)][0], len(x), lo, hi)
	}
}

// roundTrialsGeneric is Round. No product is fused with a sum, so that every instruction set can do the same.
func roundTrialsGeneric(t *Trials, x, w []float32, lo, hi float32) {
	w = w[:len(x)]
	for lane, scale := range t.T {
		b := t.B[lane]
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
		t.Q[lane], t.QQ[lane], t.DQ[lane], t.DD[lane] = sumQ, sumQQ, sumDQ, sumDD
	}
}
