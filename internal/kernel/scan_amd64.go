//go:build !purego

package kernel

// The channels and states that scanBlockAVX512 takes at a time.
const (
	blockChannels = 8
	blockStates   = 16
)

// steps is stepsInTurn, several channels at a time with their states in registers where that is possible.
func (s *Scan) steps(r *ScanRows, sums []float64, h []float32, lo, hi int) {
	at := lo
	if useAVX512 && s.States == blockStates {
		for ; at+blockChannels <= hi; at += blockChannels {
			state, rate := h[at*blockStates:][:blockChannels*blockStates], s.Rate[at*blockStates:][:blockChannels*blockStates]
			last := r.Tokens - 1
			dt, x := r.Dt[at:][:last*r.DtStride+blockChannels], r.X[at:][:last*r.XStride+blockChannels]
			b, c := r.B[:last*r.BStride+blockStates], r.C[:last*r.CStride+blockStates]
			out := sums[at-lo:][:last*stepChannels+blockChannels]
			scanBlockAVX512(&state[0], &rate[0], &dt[0], &x[0], &b[0], &c[0], &out[0], r.Tokens,
				r.DtStride, r.XStride, r.BStride, r.CStride, stepChannels)
		}
	}
	if at < hi {
		s.stepsInTurn(r, sums[at-lo:], h, at, hi)
	}
}

func scanSteps(sums []float64, h, rate, b, c, dt, x []float32) {
	if !useAVX2 || len(b)%asmCols != 0 {
		scanStepsGeneric(sums, h, rate, b, c, dt, x)
		return
	}
	h, rate = h[:len(sums)*len(b)], rate[:len(sums)*len(b)]
	c, dt, x = c[:len(b)], dt[:len(sums)], x[:len(sums)]
	scanStepAVX2(&h[0], &rate[0], &b[0], &c[0], &dt[0], &x[0], &sums[0], len(b), len(sums))
}
