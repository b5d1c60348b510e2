package kernel

// HeadScan is the selective state space recurrence of Mamba-2, whose A is one number for each head: discretised, run,
// reduced and gated in one pass (Mamba-2 paper, arXiv:2405.21060, section 2.1; ssd_minimal.py of mamba_ssm computes the
// same in chunks). Head h of H reads B and C of group g = h / (H/G).
//
//	dt        = clamp(softplus(dt[t, h] + bias[h]))
//	s[c, n]   = exp(dt·A[h]) · s[c, n] + dt·x[t, c]·B[t, g, n]         for the P channels c of head h
//	y[t, c]   = (Σ_n s[c, n]·C[t, g, n] + D[c]·x[t, c]) · silu(z[t, c])
//
// The chunked form of Listing 1 gives other bits for other chunks, so that a prompt could not be cut anywhere, and with its
// matrix products by the kernels here it is not closer to the truth (BenchmarkChunked compares the two).
type HeadScan struct {
	Heads, HeadDim, Groups, States int // H, P, G, N

	A            []float32 // [H], negative
	D            []float32 // [H·P], a head's repeated for each of its channels
	DtBias       []float32 // [H]
	DtMin, DtMax float64   // the limits of dt
}

// Run scans the channels lo to hi in time order, from the state [H·P, N], which it leaves as it is after the last
// token. r.Dt is [T, H] and holds the inputs of softplus; r.B and r.C are [T, G, N].
//
// The step is computed in float32, as stepHeadGeneric has it, and its result is the state as the cache stores it, so that a
// scan may be cut anywhere. The sum over n has the order of a dot product and is not rounded before D and the gate, which
// are float64.
func (s *HeadScan) Run(r *ScanRows, state []float32, lo, hi int) {
	s.scan(r, state, lo, hi, pass{gated: true})
}

func (s *HeadScan) scan(r *ScanRows, state []float32, lo, hi int, p pass) {
	scratch := scratches.Get().(*scanScratch)
	defer scratches.Put(scratch)
	steps, sums := &scratch.heads, scratch.sums[:]
	for from := lo; from < hi; {
		head := from / s.HeadDim
		to := min(hi, from+stepChannels, (head+1)*s.HeadDim)
		group := head / (s.Heads / s.Groups) * s.States
		for t := 0; t < r.Tokens; t += stepTokens {
			piece, next := r.piece(t), r.piece(t+stepTokens)
			s.discretise(steps, &piece, head)
			piece.B, piece.C = piece.B[group:], piece.C[group:]
			s.steps(steps, &piece, &next, sums, state[from*s.States:to*s.States], from, to)
			if p.gated {
				piece.gate(sums, s.D, from, to)
			}
			if p.time != nil {
				for c := from; c < to; c++ {
					for _, dt := range steps.dt[:piece.Tokens] {
						p.time[c] += dt
					}
				}
			}
		}
		from = to
	}
}

// headSteps is what the steps of some tokens do to all channels of a head: dt, and the decay exp(dt·A) as the sum of two
// float32, as near 1, where states live long, one of them would lose most of what sets it apart from 1.
type headSteps struct {
	dt        [stepTokens]float64
	high, low [stepTokens]float32
}

// discretise sets the steps of r's tokens.
func (s *HeadScan) discretise(steps *headSteps, r *ScanRows, head int) {
	a, bias := float64(s.A[head]), float64(s.DtBias[head])
	for t := range r.Tokens {
		dt := s.limit(softplus(float64(r.Dt[t*r.DtStride+head]) + bias))
		steps.dt[t] = dt
		steps.high[t], steps.low[t] = headDecay(dt, a)
	}
}

// headDecay returns exp(dt·A) as the sum of two float32.
func headDecay(dt, a float64) (high, low float32) {
	decay := exp(float64(dt * a))
	high = float32(decay)
	return high, float32(decay - float64(high))
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

// steps moves the states h [hi - lo, N] over r's tokens and sets sums[t·stepChannels + i] to the Σ_n h[n]·c[n] of channel lo+i
// at token t. After r comes next. Where possible it keeps the states of a few channels in registers meanwhile.
func (s *HeadScan) steps(steps *headSteps, r, next *ScanRows, sums []float64, h []float32, lo, hi int) {
	at, k := lo, &cpu.headBlock
	if k.channels > 0 && s.States == k.states {
		for ; at+k.channels <= hi; at += k.channels {
			next.fetchPart((at-lo)/k.channels, (hi-lo)/k.channels, lo, hi)
			state, last := h[(at-lo)*k.states:][:k.channels*k.states], r.Tokens-1
			x := r.X[at:][:last*r.XStride+k.channels]
			b, c := r.B[:last*r.BStride+k.states], r.C[:last*r.CStride+k.states]
			out := sums[at-lo:][:last*stepChannels+k.channels]
			k.run(&state[0], &steps.dt[0], &steps.high[0], &steps.low[0], &x[0], &b[0], &c[0], &out[0],
				r.Tokens, r.XStride, r.BStride, r.CStride, stepChannels)
		}
	}
	if at == hi {
		return
	}
	h = h[(at-lo)*s.States:]
	for t := range r.Tokens {
		b, c := r.B[t*r.BStride:][:s.States], r.C[t*r.CStride:][:s.States]
		stepHead(sums[t*stepChannels+at-lo:][:hi-at], h, steps.dt[t], steps.high[t], steps.low[t], r.X[t*r.XStride:][at:hi], b, c)
	}
}

// stepHead is stepHeadGeneric in the instruction set in use.
func stepHead(sums []float64, h []float32, dt float64, high, low float32, x, b, c []float32) {
	channels, states, step := len(sums), len(b), &cpu.headStep
	if channels == 0 || states%lanes != 0 {
		stepHeadGeneric(sums, h, dt, high, low, x, b, c)
		return
	}
	h, x, c = h[:channels*states], x[:channels], c[:states]
	done := 0
	if pairs := channels / 2; pairs > 0 && step.two != nil {
		step.two(&sums[0], &h[0], dt, high, low, &x[0], &b[0], &c[0], states, pairs)
		done = 2 * pairs
	}
	if done < channels {
		step.one(&sums[done], &h[done*states], dt, high, low, &x[done], &b[0], &c[0], states, channels-done)
	}
}

// stepHeadGeneric moves the states h [channels, N] of channels of one head over one token and sets sums to each
// channel's Σ_n h[n]·c[n], with x [channels], b and c [N]. Every operation is rounded to float32.
func stepHeadGeneric(sums []float64, h []float32, dt float64, high, low float32, x, b, c []float32) {
	c = c[:len(b)]
	for i := range sums {
		row := h[i*len(b):][:len(b)]
		dtx := single(float32(dt * float64(x[i])))
		var lane [lanes]single
		for n, bn := range b {
			state := single(row[n])
			next := fma32(state, single(high), fma32(dtx, single(bn), single(float32(state*single(low)))))
			row[n] = float32(next)
			lane[n%lanes] = fma32(next, single(c[n]), lane[n%lanes])
		}
		sums[i] = sumLanes64(&lane)
	}
}
