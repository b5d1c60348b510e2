package kernel

import "github.com/gomamba/gomamba/internal/parallel"

// RunParallel is Run with the tokens, not the channels, divided among the pool's threads: the work-efficient parallel
// scan over (decay, input) pairs (Blelloch 1990; Mamba paper, section 3.3.2), in its reduce-then-scan form.
//
// Each thread first folds its piece of the sequence into one pair per state, the pieces' starting states then follow
// one from the other, and a second pass runs every piece from its own. That is twice the work of Run, whatever
// the number of threads, so it pays only where channels are fewer than cores can share.
//
// A piece's starting state comes from products of decays in float64, not from a float32 state rounded at every token:
// results agree with Run to rounding, not to the bit.
func (s *Scan) RunParallel(p *parallel.Pool, r *ScanRows, h []float32, channels int) {
	pieces := min(p.Threads(), r.Tokens)
	if pieces < 2 {
		s.Run(r, h, 0, channels)
		return
	}
	size := channels * s.States
	bounds := func(i int) (from, to int) { return i * r.Tokens / pieces, (i + 1) * r.Tokens / pieces }

	// 1. Reduce: after a piece, h = decay·h + input, for each channel and state.
	decay := make([]float64, pieces*size)
	input := make([]float64, pieces*size)
	p.Run(pieces, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from, to := bounds(i)
			s.fold(r, decay[i*size:(i+1)*size], input[i*size:(i+1)*size], from, to, channels)
		}
	})

	// 2. Carry: the state at the start of every piece.
	starts := make([]float32, (pieces+1)*size)
	copy(starts, h)
	for i := range pieces {
		now, next := starts[i*size:(i+1)*size], starts[(i+1)*size:(i+2)*size]
		for j, v := range now {
			next[j] = float32(float64(decay[i*size+j]*float64(v)) + input[i*size+j])
		}
	}

	// 3. Scan: every piece from its own start. The last one leaves the final state.
	p.Run(pieces, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from, to := bounds(i)
			piece := r.slice(from, to)
			s.Run(&piece, starts[i*size:(i+1)*size], 0, channels)
		}
	})
	copy(h, starts[(pieces-1)*size:pieces*size])
}

// fold composes the steps of tokens from to to into one pair (decay, input) per channel and state.
func (s *Scan) fold(r *ScanRows, factor, input []float64, from, to, channels int) {
	for j := range factor {
		factor[j], input[j] = 1, 0
	}
	for t := from; t < to; t++ {
		b := r.B[t*r.BStride:][:s.States]
		for ch := range channels {
			dt := float64(r.Dt[t*r.DtStride+ch])
			dtx := float64(dt * float64(r.X[t*r.XStride+ch]))
			row := ch * s.States
			for n, bn := range b {
				d := exp2(max(float64(dt*float64(s.Rate[row+n])), -expBound))
				factor[row+n] *= d
				input[row+n] = float64(d*input[row+n]) + float64(dtx*float64(bn))
			}
		}
	}
}

// slice returns the rows of tokens from to to.
func (r *ScanRows) slice(from, to int) ScanRows {
	cut := *r
	cut.Tokens = to - from
	cut.X, cut.Dt = r.X[from*r.XStride:], r.Dt[from*r.DtStride:]
	cut.Z, cut.Y = r.Z[from*r.ZStride:], r.Y[from*r.YStride:]
	cut.B, cut.C = r.B[from*r.BStride:], r.C[from*r.CStride:]
	return cut
}
