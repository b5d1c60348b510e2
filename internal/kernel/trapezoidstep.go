package kernel

// trapezoidSteps are what some tokens do to the states of a head, [T]: the decay as the sum of two float32, as in headSteps;
// inputs [T, 2, R, P], those of the token before and those of this one; keys [T + 1, R, N], that of the token before the first
// in front; queries [T, R, N].
type trapezoidSteps struct {
	rank, channels, states int // R, P, N
	high, low              [stepTokens]float32
	in, k, q               []float32
}

// run moves the states h [P, N] over the tokens and sets sums [T, R, P] to the Σ_n h[n]·q_r[n] of each channel after each of
// them. Where possible it keeps the states of a few channels in registers meanwhile.
func (s *trapezoidSteps) run(sums []float64, h []float32, tokens int) {
	R, P, N, at := s.rank, s.channels, s.states, 0
	if k := &cpu.trapezoidBlock; k.channels > 0 && R == 1 && N == k.states {
		out, in, keys, q := sums[:tokens*P], s.in[:2*tokens*P], s.k[:(tokens+1)*N], s.q[:tokens*N]
		for ; at+k.channels <= P; at += k.channels {
			state := h[at*N:][:k.channels*N]
			k.run(&state[0], &s.high[0], &s.low[0], &in[at], &keys[0], &q[0], &out[at], tokens, P)
		}
	}
	if at == P {
		return
	}
	for t := range tokens {
		stepTrapezoid(sums[t*R*P:][:R*P], h, s.high[t], s.low[t], s.in[2*t*R*P:][:2*R*P], s.k[t*R*N:][:2*R*N], s.q[t*R*N:][:R*N], R, at)
	}
}

// stepTrapezoid is stepTrapezoidGeneric in the instruction set in use.
func stepTrapezoid(sums []float64, h []float32, high, low float32, in, k, q []float32, rank, from int) {
	channels, states := len(sums)/rank, len(q)/rank
	h, in, k = h[:channels*states], in[:2*len(sums)], k[:2*len(q)]
	if rank < len(cpu.trapezoid) && states%lanes == 0 {
		step := &cpu.trapezoid[rank]
		if pairs := (channels - from) / 2; pairs > 0 && step.two != nil {
			step.two(&sums[from], &h[from*states], high, low, &in[from], &k[0], &q[0], states, channels, pairs)
			from += 2 * pairs
		}
		if from < channels && step.one != nil {
			step.one(&sums[from], &h[from*states], high, low, &in[from], &k[0], &q[0], states, channels, channels-from)
			from = channels
		}
	}
	stepTrapezoidGeneric(sums, h, high, low, in, k, q, rank, from)
}

// stepTrapezoidGeneric moves the states h [P, N] of a head over one token and sets sums [R, P] to the Σ_n h[n]·q_r[n] of each
// channel from one on. The inputs in [2, R, P] meet the keys k [2, R, N], of the token before and of this one; q is [R, N]. Every
// operation is rounded to float32:
//
//	s = low·s; s = in_0·k_0 + s; s = high·(s before) + s; then in_r·k_r + s for the other 2·R - 1, in order
func stepTrapezoidGeneric(sums []float64, h []float32, high, low float32, in, k, q []float32, rank, from int) {
	channels, states := len(sums)/rank, len(q)/rank
	for c := from; c < channels; c++ {
		row := h[c*states:][:states]
		for n, v := range row {
			state := single(v)
			next := fma32(single(in[c]), single(k[n]), single(float32(state*single(low))))
			next = fma32(state, single(high), next)
			for r := 1; r < 2*rank; r++ {
				next = fma32(single(in[r*channels+c]), single(k[r*states+n]), next)
			}
			row[n] = float32(next)
		}
		for r := range rank {
			var lane [lanes]single
			for n, v := range q[r*states:][:states] {
				lane[n%lanes] = fma32(single(row[n]), single(v), lane[n%lanes])
			}
			sums[r*channels+c] = sumLanes64(&lane)
		}
	}
}

// gateRank is gateRankGeneric in the instruction set in use.
func gateRank(out, sums []float64, d, x, z, mixZ, mixY []float32) {
	sums, d, x, z, mixZ, mixY = sums[:len(out)], d[:len(out)], x[:len(out)], z[:len(out)], mixZ[:len(out)], mixY[:len(out)]
	n := wholeWide(len(out))
	if n > 0 {
		cpu.gateRank(&out[0], &sums[0], &d[0], &x[0], &z[0], &mixZ[0], &mixY[0], n)
	}
	gateRankGeneric(out[n:], sums[n:], d[n:], x[n:], z[n:], mixZ[n:], mixY[n:])
}

// gateRankGeneric adds (sums[i] + d[i]·x[i]) · silu(z[i]·mixZ[i]) · mixY[i] to out[i]: what one rank of MIMO gives.
func gateRankGeneric(out, sums []float64, d, x, z, mixZ, mixY []float32) {
	for i, sum := range sums {
		sum += float64(float64(d[i]) * float64(x[i]))
		sum = float64(sum * silu(float64(float64(z[i])*float64(mixZ[i]))))
		out[i] += float64(sum * float64(mixY[i]))
	}
}
