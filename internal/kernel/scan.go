package kernel

// Scan is the selective state space recurrence of Mamba-1, discretised, run, reduced and gated in one pass
// (Mamba paper, Algorithm 2 and section 3.3; selective_scan_ref of mamba_ssm/ops/selective_scan_interface.py).
//
//	h[c, n] = exp(dt[t, c]·A[c, n]) · h[c, n] + dt[t, c]·B[t, n]·x[t, c]
//	y[t, c] = (Σ_n h[c, n]·C[t, n] + D[c]·x[t, c]) · silu(z[t, c])
//
// No array of T × I × N values is ever made: the work is I·N per token and the memory that of the state.
type Scan struct {
	States int       // N
	A      []float32 // [I, N], negative
	D      []float32 // [I]
}

// ScanRows holds the inputs and the output of a scan over T tokens of one sequence.
// Each slice starts at the first token; token t is at t times its stride.
type ScanRows struct {
	Tokens                     int
	X, Dt, Z, Y                []float32 // [T, I]: conv output, softplus'd dt, gate, and the result; Y may be X
	XStride, DtStride, ZStride int
	YStride                    int
	B, C                       []float32 // [T, N]
	BStride, CStride           int
}

// Run scans the channels lo to hi in time order, from the state h [I, N], which it leaves as it is after the last token.
//
// The step is computed in float64 and h is rounded to float32 after each token, as the cache stores it, so that a scan
// may be cut anywhere. The sum over n runs in 8 lanes, state n in lane n mod 8, added as the tree of sum8.
func (s *Scan) Run(r *ScanRows, h []float32, lo, hi int) {
	for t := range r.Tokens {
		b := r.B[t*r.BStride:][:s.States]
		c := r.C[t*r.CStride:][:s.States]
		x, dt := r.X[t*r.XStride:], r.Dt[t*r.DtStride:]
		z, y := r.Z[t*r.ZStride:], r.Y[t*r.YStride:]
		for from := lo; from < hi; from += stepChannels {
			to := min(from+stepChannels, hi)
			var sums [stepChannels]float64
			scanSteps(sums[:to-from], h[from*s.States:to*s.States], s.A[from*s.States:to*s.States], b, c, dt[from:to], x[from:to])
			gate(y[from:to], sums[:to-from], s.D[from:to], x[from:to], z[from:to])
		}
	}
}

// stepChannels is how many channels are stepped at a time.
const stepChannels = 64

// scanStepsGeneric moves the states h [channels, N] of some channels over one token and sets sums to each
// channel's Σ_n h[n]·c[n], with a [channels, N], b and c [N], dt and x [channels].
func scanStepsGeneric(sums []float64, h, a, b, c, dt, x []float32) {
	for i := range sums {
		row := i * len(b)
		sums[i] = stepGeneric(h[row:row+len(b)], a[row:row+len(b)], b, c, float64(dt[i]), float64(x[i]))
	}
}

// stepGeneric moves the state h of one channel over one token and returns Σ_n h[n]·c[n].
func stepGeneric(h, a, b, c []float32, dt, x float64) float64 {
	a, b, c = a[:len(h)], b[:len(h)], c[:len(h)]
	var lane [8]float64
	dtx := float64(dt * x)
	for n := range h {
		decay := exp(float64(dt * float64(a[n])))
		h[n] = float32(float64(decay*float64(h[n])) + float64(dtx*float64(b[n])))
		lane[n&7] += float64(float64(h[n]) * float64(c[n]))
	}
	return sum8(&lane)
}
