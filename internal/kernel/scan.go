package kernel

import "sync"

// Scan is the selective state space recurrence of Mamba-1, discretised, run, reduced and gated in one pass
// (Mamba paper, Algorithm 2 and section 3.3; selective_scan_ref of mamba_ssm/ops/selective_scan_interface.py).
//
//	h[c, n] = exp(dt[t, c]·A[c, n]) · h[c, n] + dt[t, c]·B[t, n]·x[t, c]
//	y[t, c] = (Σ_n h[c, n]·C[t, n] + D[c]·x[t, c]) · silu(z[t, c])
//
// No array of T × I × N values is ever made: the work is I·N per token and the memory that of the state.
type Scan struct {
	States int       // N
	Rate   []float32 // [I, N]: A·log2 e, as DecayRates gives it
	D      []float32 // [I]
	DtBias []float32 // [I]; nil if dt is the output of softplus
}

// ScanRows holds the inputs and the output of a scan over T tokens of one sequence.
// Each slice starts at the first token; token t is at t times its stride.
type ScanRows struct {
	Tokens                     int
	X, Dt, Z, Y                []float32 // [T, I]: conv output, softplus'd dt, gate or nil, and the result; Y may be X
	XStride, DtStride, ZStride int
	YStride                    int
	B, C                       []float32 // [T, N]
	BStride, CStride           int
}

// Run scans the channels lo to hi in time order, from the state h [I, N], which it leaves as it is after the last token.
//
// The step is computed in float32, as stepGeneric has it, and its result is the state as the cache stores it, so that a scan
// may be cut anywhere. The sum over n runs in 4 float32 lanes, state n in lane n mod 4, which are added in float64; D and
// the gate are float64 too. If there is a DtBias, dt is replaced by softplus(dt + DtBias) on the way.
func (s *Scan) Run(r *ScanRows, h []float32, lo, hi int) {
	s.scan(r, h, lo, hi, pass{raw: true, gated: true})
}

// pass says what a pass over some rows does beside moving the states.
type pass struct {
	raw   bool      // r.Dt is the input of softplus; with a Scan.DtBias its output replaces it
	gated bool      // set r.Y
	time  []float64 // [I]: add each channel's dt, unless nil
}

func (s *Scan) scan(r *ScanRows, h []float32, lo, hi int, p pass) {
	scratch := scratches.Get().(*scanScratch)
	defer scratches.Put(scratch)
	sums := scratch.sums[:]
	states := s.begin(h, r.Tokens)
	defer states.end()
	for from := lo; from < hi; from += stepChannels {
		to := min(from+stepChannels, hi)
		states.take(from, to)
		for t := 0; t < r.Tokens; t += stepTokens {
			piece, next := r.piece(t), r.piece(t+stepTokens)
			if p.raw && s.DtBias != nil {
				softplusRows(piece.Dt, r.DtStride, s.DtBias, piece.Tokens, from, to)
			}
			states.step(&piece, &next, sums)
			if p.gated {
				piece.gate(sums, s.D, from, to)
			}
			if p.time != nil {
				piece.addTime(p.time, from, to)
			}
		}
		states.put()
	}
}

// gate sets r.Y from the sums of the channels lo to hi.
func (r *ScanRows) gate(sums []float64, d []float32, lo, hi int) {
	for t := range r.Tokens {
		x, y := r.X[t*r.XStride:], r.Y[t*r.YStride:]
		if r.Z == nil {
			skip(y[lo:hi], sums[t*stepChannels:], d[lo:hi], x[lo:hi])
			continue
		}
		z := r.Z[t*r.ZStride:]
		gate(y[lo:hi], sums[t*stepChannels:][:hi-lo], d[lo:hi], x[lo:hi], z[lo:hi])
	}
}

// skip is gate without a gate: y[i] = sums[i] + d[i]·x[i], rounded once.
func skip(y []float32, sums []float64, d, x []float32) {
	for i := range y {
		y[i] = float32(sums[i] + float64(float64(d[i])*float64(x[i])))
	}
}

// addTime adds dt to the time of the channels lo to hi.
func (r *ScanRows) addTime(time []float64, lo, hi int) {
	for t := range r.Tokens {
		for i, dt := range r.Dt[t*r.DtStride:][lo:hi] {
			time[lo+i] += float64(dt)
		}
	}
}

// scanScratch is the memory of a scan beside its states, kept from one scan to the next.
type scanScratch struct {
	sums  [stepTokens * stepChannels]float64
	heads headSteps
	times [stepChannels]float32 // of what leap does
}

var scratches = sync.Pool{New: func() any { return new(scanScratch) }}

// piece returns the rows from token t on, stepTokens at most.
func (r *ScanRows) piece(t int) ScanRows {
	if t >= r.Tokens {
		return ScanRows{}
	}
	return r.slice(t, min(t+stepTokens, r.Tokens))
}

// What is stepped at a time: the sums before the gate stay in the first-level cache.
const (
	stepChannels = 64
	stepTokens   = 16
)

// scanSteps is scanStepsGeneric in the instruction set in use.
func scanSteps(sums []float64, h, rate, b, c, dt, x []float32) {
	channels, states, step := len(sums), len(b), &cpu.scanStep
	if channels == 0 || states%lanes != 0 {
		scanStepsGeneric(sums, h, rate, b, c, dt, x)
		return
	}
	h, rate = h[:channels*states], rate[:channels*states]
	c, dt, x = c[:states], dt[:channels], x[:channels]
	done := 0
	if fours := channels / 4; fours > 0 && states == lanes && step.four != nil {
		step.four(&h[0], &rate[0], &b[0], &c[0], &dt[0], &x[0], &sums[0], fours)
		done = 4 * fours
	}
	if done < channels {
		row := done * states
		step.one(&h[row], &rate[row], &b[0], &c[0], &dt[done], &x[done], &sums[done], states, channels-done)
	}
}

// scanStepsGeneric moves the states h [channels, N] of some channels over one token and sets sums to each
// channel's Σ_n h[n]·c[n], with rate [channels, N], b and c [N], dt and x [channels].
func scanStepsGeneric(sums []float64, h, rate, b, c, dt, x []float32) {
	for i := range sums {
		row := i * len(b)
		sums[i] = stepGeneric(h[row:row+len(b)], rate[row:row+len(b)], b, c, dt[i], x[i])
	}
}

// stepGeneric moves the state h of one channel over one token and returns Σ_n h[n]·c[n].
//
// Every operation is rounded to float32. The decay exp(dt·A) = 2^(dt·rate) = 2^e·(high + low) is kept in two parts: near 1,
// where states live long, one float32 would lose most of what sets it apart from 1, and at every token again. As h·high
// is fused with the rest of the step, h is rounded once but for what is small beside it.
func stepGeneric(h, rate, b, c []float32, dt, x float32) float64 {
	rate, b, c = rate[:len(h)], b[:len(h)], c[:len(h)]
	var lane [4]single
	dtx := float32(dt * x)
	for n := range h {
		scale, high, low := decay(float32(dt * rate[n]))
		state := single(float32(h[n] * scale))
		next := fma32(state, high, fma32(single(dtx), single(b[n]), single(float32(state*low))))
		h[n] = float32(next)
		lane[n%4] = fma32(next, single(c[n]), lane[n%4])
	}
	return (float64(lane[0]) + float64(lane[2])) + (float64(lane[1]) + float64(lane[3]))
}
