//go:build !purego

package kernel

// The channels and states that headBlockAVX512 takes at a time.
const (
	headBlockChannels = 2
	headBlockStates   = 128
)

// steps is stepsInTurn, two channels at a time with their states in registers where that is possible. After r comes next.
func (s *HeadScan) steps(steps *headSteps, r, next *ScanRows, sums []float64, h []float32, lo, hi int) {
	at := lo
	if useAVX512 && s.States == headBlockStates {
		for ; at+headBlockChannels <= hi; at += headBlockChannels {
			next.fetchPart((at-lo)/headBlockChannels, (hi-lo)/headBlockChannels, lo, hi)
			state := h[(at-lo)*headBlockStates:][:headBlockChannels*headBlockStates]
			last := r.Tokens - 1
			x := r.X[at:][:last*r.XStride+headBlockChannels]
			b, c := r.B[:last*r.BStride+headBlockStates], r.C[:last*r.CStride+headBlockStates]
			out := sums[at-lo:][:last*stepChannels+headBlockChannels]
			headBlockAVX512(&state[0], &steps.dt[0], &steps.high[0], &steps.low[0], &x[0], &b[0], &c[0], &out[0],
				r.Tokens, r.XStride, r.BStride, r.CStride, stepChannels)
		}
	}
	if at < hi {
		s.stepsInTurn(steps, r, sums[at-lo:], h[(at-lo)*s.States:], at, hi)
	}
}

func stepHead(sums []float64, h []float32, dt float64, high, low float32, x, b, c []float32) {
	if !useAVX2 || len(b)%asmCols != 0 || len(sums) == 0 {
		stepHeadGeneric(sums, h, dt, high, low, x, b, c)
		return
	}
	states := len(b)
	h, x, c = h[:len(sums)*states], x[:len(sums)], c[:states]
	pairs := len(sums) / 2
	if pairs > 0 {
		stepHeadTwoAVX2(&sums[0], &h[0], dt, high, low, &x[0], &b[0], &c[0], states, pairs)
	}
	if done := 2 * pairs; done < len(sums) {
		stepHeadOneAVX2(&sums[done], &h[done*states], dt, high, low, &x[done], &b[0], &c[0], states, 1)
	}
}
