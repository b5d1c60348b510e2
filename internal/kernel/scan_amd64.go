//go:build !purego

package kernel

// The channels and states that scanBlockAVX512 takes at a time, and for how few tokens turning them is not worth its while.
const (
	blockChannels = 16
	blockStates   = 16
	blockTokens   = 8
)

// scanStates are the states of some channels, at most stepChannels, on their way through a scan.
type scanStates struct {
	*Scan
	h      []float32 // of all channels
	lo, hi int

	// With AVX-512, h and Rate of the channels lo to wide are turned: blocks of [blockStates, blockChannels].
	turned      *[]float32
	wide        int
	state, rate []float32
}

// begin prepares the states h for a scan over some tokens.
func (s *Scan) begin(h []float32, tokens int) scanStates {
	states := scanStates{Scan: s, h: h}
	if useAVX512 && s.States == blockStates && tokens >= blockTokens {
		states.turned = tile(2 * stepChannels * blockStates)
		states.state, states.rate = (*states.turned)[:stepChannels*blockStates], (*states.turned)[stepChannels*blockStates:]
	}
	return states
}

// end gives back what begin took.
func (s *scanStates) end() {
	if s.turned != nil {
		tiles.Put(s.turned)
	}
}

// take begins with the channels lo to hi.
func (s *scanStates) take(lo, hi int) {
	s.lo, s.hi, s.wide = lo, hi, lo
	if s.turned == nil {
		return
	}
	for ; s.wide+blockChannels <= hi; s.wide += blockChannels {
		const size = blockStates * blockChannels
		from, at := s.wide*blockStates, (s.wide-lo)*blockStates
		turn((*[size]float32)(s.state[at:]), (*[size]float32)(s.h[from:]))
		turn((*[size]float32)(s.rate[at:]), (*[size]float32)(s.Rate[from:]))
	}
}

// put leaves the states where they came from.
func (s *scanStates) put() {
	for at := s.lo; at < s.wide; at += blockChannels {
		const size = blockStates * blockChannels
		turn((*[size]float32)(s.h[at*blockStates:]), (*[size]float32)(s.state[(at-s.lo)*blockStates:]))
	}
}

// turn transposes a square matrix.
func turn(dst, src *[blockStates * blockChannels]float32) {
	for i := range blockChannels {
		for j := range blockStates {
			dst[j*blockChannels+i] = src[i*blockStates+j]
		}
	}
}

// step moves the states over r's tokens and sets sums[t·stepChannels + i] to the Σ_n h[n]·c[n] of channel lo+i at token t.
// After r comes next.
func (s *scanStates) step(r, next *ScanRows, sums []float64) {
	last := r.Tokens - 1
	for at := s.lo; at < s.wide; at += blockChannels {
		i, n := (at-s.lo)/blockChannels, (s.wide-s.lo)/blockChannels
		next.fetchPart(i, n, s.lo, s.hi)
		for t := i * next.Tokens / n; t < (i+1)*next.Tokens/n; t++ {
			fetch(next.Dt[t*next.DtStride:][s.lo:s.hi])
		}
		turned := (at - s.lo) * blockStates
		state, rate := s.state[turned:][:blockStates*blockChannels], s.rate[turned:][:blockStates*blockChannels]
		dt, x := r.Dt[at:][:last*r.DtStride+blockChannels], r.X[at:][:last*r.XStride+blockChannels]
		b, c := r.B[:last*r.BStride+blockStates], r.C[:last*r.CStride+blockStates]
		out := sums[at-s.lo:][:last*stepChannels+blockChannels]
		scanBlockAVX512(&state[0], &rate[0], &dt[0], &x[0], &b[0], &c[0], &out[0], r.Tokens,
			r.DtStride, r.XStride, r.BStride, r.CStride, stepChannels)
	}
	if s.wide < s.hi {
		s.stepsInTurn(r, sums[s.wide-s.lo:], s.h, s.wide, s.hi)
	}
}

// fetchPart hints that the rows are needed soon in the channels lo to hi: in memory they lie far apart. It does so for part i
// of n, as a burst of hints holds up the work that it comes between.
func (r *ScanRows) fetchPart(i, n, lo, hi int) {
	for t := i * r.Tokens / n; t < (i+1)*r.Tokens/n; t++ {
		fetch(r.X[t*r.XStride:][lo:hi])
		fetch(r.Z[t*r.ZStride:][lo:hi])
	}
}

func scanSteps(sums []float64, h, rate, b, c, dt, x []float32) {
	if !useAVX2 || len(b)%asmCols != 0 {
		scanStepsGeneric(sums, h, rate, b, c, dt, x)
		return
	}
	h, rate = h[:len(sums)*len(b)], rate[:len(sums)*len(b)]
	c, dt, x = c[:len(b)], dt[:len(sums)], x[:len(sums)]
	done := 0
	if fours := len(sums) / 4; useAVX512 && len(b) == blockStates && fours > 0 {
		scanStepAVX512(&h[0], &rate[0], &b[0], &c[0], &dt[0], &x[0], &sums[0], fours)
		done = 4 * fours
	}
	if done < len(sums) {
		row := done * len(b)
		scanStepAVX2(&h[row], &rate[row], &b[0], &c[0], &dt[done], &x[done], &sums[done], len(b), len(sums)-done)
	}
}
