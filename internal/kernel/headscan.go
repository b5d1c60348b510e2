package kernel

// HeadScan is the selective state space recurrence of Mamba-2, whose A is one number for each head: discretised, run,
// reduced and gated in one pass (Mamba-2 paper, arXiv:2405.21060, section 2.1; ssd_minimal.py of mamba_ssm computes the
// same in chunks). Head h of H reads B and C of group g = h / (H/G).
//
//	dt        = clamp(softplus(dt[t, h] + bias[h]))
//	s[c, n]   = exp(dt·A[h]) · s[c, n] + dt·x[t, c]·B[t, g, n]         for the P channels c of head h
//	y[t, c]   = (Σ_n s[c, n]·C[t, g, n] + D[c]·x[t, c]) · silu(z[t, c])
//
// The chunked form of Listing 1, with its matrix products by the fastest kernels here, takes as long at its best
// (BenchmarkChunked), is no closer to the truth, and gives other bits for other chunks.
type HeadScan struct {
	Heads, HeadDim, Groups, States int // H, P, G, N

	A            []float32 // [H], negative
	D            []float32 // [H·P], a head's repeated for each of its channels
	DtBias       []float32 // [H]
	DtMin, DtMax float64   // the limits of dt
}

// headChannels is how many channels are stepped at a time. With the usual 128 states theirs take half of a first-level
// cache, where they stay for all tokens.
const headChannels = 32

// Run scans the channels lo to hi in time order, from the state [H·P, N], which it leaves as it is after the last
// token. r.Dt is [T, H] and holds what softplus has not seen yet; r.B and r.C are [T, G, N].
//
// The step is computed in float64, and the state is rounded to float32 after each token, as the cache stores it, so that a scan
// may be cut anywhere; y is reduced from what was not rounded. The sum over n runs in 8 lanes, state n in lane
// n mod 8, added as the tree of sum8.
func (s *HeadScan) Run(r *ScanRows, state []float32, lo, hi int) {
	for from := lo; from < hi; {
		head := from / s.HeadDim
		to := min(hi, from+headChannels, (head+1)*s.HeadDim)
		s.runHead(r, state[from*s.States:to*s.States], head, from, to)
		from = to
	}
}

// runHead scans the channels lo to hi of one head; state is theirs.
func (s *HeadScan) runHead(r *ScanRows, state []float32, head, lo, hi int) {
	group := head / (s.Heads / s.Groups) * s.States
	a, bias := float64(s.A[head]), float64(s.DtBias[head])
	var room [headChannels]float64
	sums := room[:hi-lo]
	for t := range r.Tokens {
		dt := s.limit(softplus(float64(r.Dt[t*r.DtStride+head]) + bias))
		decay := exp(float64(dt * a))
		b, c := r.B[t*r.BStride+group:][:s.States], r.C[t*r.CStride+group:][:s.States]
		x, z, y := r.X[t*r.XStride:][lo:hi], r.Z[t*r.ZStride:][lo:hi], r.Y[t*r.YStride:][lo:hi]
		headSteps(sums, state, decay, dt, x, b, c)
		gate(y, sums, s.D[lo:hi], x, z)
	}
}

// limit clamps dt. A NaN stays one.
func (s *HeadScan) limit(dt float64) float64 {
	if dt < s.DtMin {
		dt = s.DtMin
	}
	if dt > s.DtMax {
		dt = s.DtMax
	}
	return dt
}

// headStepsGeneric moves the states h [channels, N] of channels of one head over one token and sets sums to each
// channel's Σ_n h[n]·c[n], with x [channels], b and c [N].
func headStepsGeneric(sums []float64, h []float32, decay, dt float64, x, b, c []float32) {
	c = c[:len(b)]
	for i := range sums {
		row := h[i*len(b):][:len(b)]
		dtx := float64(dt * float64(x[i]))
		var lane [8]float64
		for n, bn := range b {
			v := fma(decay, float64(row[n]), float64(dtx*float64(bn)))
			row[n] = float32(v)
			lane[n&7] = fma(v, float64(c[n]), lane[n&7])
		}
		sums[i] = sum8(&lane)
	}
}
