package kernel

// scanStates are the states of some channels, at most stepChannels, on their way through a scan of Mamba-1.
type scanStates struct {
	*Scan
	h      []float32 // of all channels
	lo, hi int

	// h and Rate of the channels lo to wide are transposed for cpu.scanBlock, to blocks of [states, channels].
	transposed  *[]float32 // nil if that is not worth while
	wide        int
	state, rate []float32
}

// begin prepares the states h for a scan over some tokens.
func (s *Scan) begin(h []float32, tokens int) scanStates {
	states := scanStates{Scan: s, h: h}
	if b := &cpu.scanBlock; b.channels > 0 && s.States == b.states && tokens >= b.tokens {
		size := stepChannels * b.states
		states.transposed = buffer(2 * size)
		states.state, states.rate = (*states.transposed)[:size], (*states.transposed)[size:]
	}
	return states
}

// end gives back what begin took.
func (s *scanStates) end() {
	if s.transposed != nil {
		buffers.Put(s.transposed)
	}
}

// take begins with the channels lo to hi.
func (s *scanStates) take(lo, hi int) {
	s.lo, s.hi, s.wide = lo, hi, lo
	if s.transposed == nil {
		return
	}
	for b := &cpu.scanBlock; s.wide+b.channels <= hi; s.wide += b.channels {
		size, from := b.channels*b.states, s.wide*b.states
		at := from - lo*b.states
		transpose(s.state[at:][:size], s.h[from:][:size], b.channels, b.states)
		transpose(s.rate[at:][:size], s.Rate[from:][:size], b.channels, b.states)
	}
}

// put leaves the states where they came from.
func (s *scanStates) put() {
	b := &cpu.scanBlock
	for at := s.lo; at < s.wide; at += b.channels {
		size, from := b.channels*b.states, at*b.states
		transpose(s.h[from:][:size], s.state[from-s.lo*b.states:][:size], b.states, b.channels)
	}
}

// transpose sets dst [cols, rows] to src [rows, cols].
func transpose(dst, src []float32, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*cols:][:cols] {
			dst[j*rows+i] = v
		}
	}
}

// step moves the states over r's tokens and sets sums[t·stepChannels + i] to the Σ_n h[n]·c[n] of channel lo+i at token t.
// After r comes next.
func (s *scanStates) step(r, next *ScanRows, sums []float64) {
	b, last := &cpu.scanBlock, r.Tokens-1
	for at := s.lo; at < s.wide; at += b.channels {
		i, n := (at-s.lo)/b.channels, (s.wide-s.lo)/b.channels
		next.fetchPart(i, n, s.lo, s.hi)
		for t := i * next.Tokens / n; t < (i+1)*next.Tokens/n; t++ {
			fetch(next.Dt[t*next.DtStride:][s.lo:s.hi])
		}
		size, from := b.channels*b.states, (at-s.lo)*b.states
		state, rate := s.state[from:][:size], s.rate[from:][:size]
		dt, x := r.Dt[at:][:last*r.DtStride+b.channels], r.X[at:][:last*r.XStride+b.channels]
		in, out := r.B[:last*r.BStride+b.states], r.C[:last*r.CStride+b.states]
		sum := sums[at-s.lo:][:last*stepChannels+b.channels]
		b.run(&state[0], &rate[0], &dt[0], &x[0], &in[0], &out[0], &sum[0], r.Tokens,
			r.DtStride, r.XStride, r.BStride, r.CStride, stepChannels)
	}
	if s.wide < s.hi {
		s.stepsInTurn(r, sums[s.wide-s.lo:], s.wide, s.hi)
	}
}

// stepsInTurn is step for the channels lo to hi, whose states are where they were.
func (s *scanStates) stepsInTurn(r *ScanRows, sums []float64, lo, hi int) {
	h, rate := s.h[lo*s.States:hi*s.States], s.Rate[lo*s.States:hi*s.States]
	for t := range r.Tokens {
		b, c := r.B[t*r.BStride:][:s.States], r.C[t*r.CStride:][:s.States]
		x, dt := r.X[t*r.XStride:], r.Dt[t*r.DtStride:]
		scanSteps(sums[t*stepChannels:][:hi-lo], h, rate, b, c, dt[lo:hi], x[lo:hi])
	}
}

// fetchPart hints that the rows are needed soon in the channels lo to hi: in memory they lie far apart. It does so for part i
// of n, as a burst of hints holds up the work that it comes between.
func (r *ScanRows) fetchPart(i, n, lo, hi int) {
	for t := i * r.Tokens / n; t < (i+1)*r.Tokens/n; t++ {
		fetch(r.X[t*r.XStride:][lo:hi])
		if r.Z != nil {
			fetch(r.Z[t*r.ZStride:][lo:hi])
		}
	}
}
