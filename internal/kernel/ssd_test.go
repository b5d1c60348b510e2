package kernel

import (
	"fmt"
	"math"
	"testing"
)

// chunked is the chunked form of the recurrence of Mamba-2 (Mamba-2 paper, Listing 1) for one head, all of its matrix
// products by mulTile in float32. It exists to be measured: its sums depend on where chunks begin, so its results are
// not those of the recurrence to the bit.
type chunked struct {
	states, dim, chunk     int
	b, bT, xT, scores, off []float32 // [Q, N], [N, Q], [P, Q], [Q, Q], [Q, P]
	update                 []float32 // [P, N]
	sum                    []float64 // [Q] of dt·A
}

func newChunked(states, dim, chunk int) *chunked {
	f := func(n int) []float32 { return make([]float32, n) }
	return &chunked{states, dim, chunk, f(chunk * states), f(states * chunk), f(dim * chunk), f(chunk * chunk), f(chunk * dim),
		f(dim * states), make([]float64, chunk)}
}

// run sets y [T, P] to Σ_n s[n]·C[n] and moves state [P, N] on. x is [T, P] with its stride, and so are b and c [T, N].
func (k *chunked) run(y []float32, dt []float64, a float64, r *ScanRows, state []float32) {
	for t := 0; t < r.Tokens; t += k.chunk {
		piece := r.slice(t, min(t+k.chunk, r.Tokens))
		k.one(y[t*k.dim:], dt[t:t+piece.Tokens], a, &piece, state)
	}
}

func (k *chunked) one(y []float32, dt []float64, a float64, r *ScanRows, state []float32) {
	Q, N, P := r.Tokens, k.states, k.dim
	total := 0.0
	for l, d := range dt {
		total += d * a
		k.sum[l] = total
	}
	for l := range Q {
		copy(k.b[l*N:][:N], r.B[l*r.BStride:])
		left := float32(exp(total - k.sum[l]))
		for n, v := range k.b[l*N:][:N] {
			k.bT[n*Q+l] = v * left
		}
		for p, v := range r.X[l*r.XStride:][:P] {
			k.xT[p*Q+l] = v * float32(dt[l])
		}
	}
	// 1. Inside the chunk: y = (L ∘ C·Bᵀ)·x.
	mulTile(k.scores, Q, k.b, r.C, r.CStride, N, Q, Q, nil)
	for l := range Q {
		row := k.scores[l*Q:][:Q]
		for s := range l + 1 {
			row[s] *= float32(exp(k.sum[l] - k.sum[s]))
		}
		clear(row[l+1:])
	}
	mulTile(y, P, k.xT, k.scores, Q, Q, P, Q, nil)
	// 2. From the state at its beginning.
	mulTile(k.off, P, state, r.C, r.CStride, N, P, Q, nil)
	for l := range Q {
		gone := float32(exp(k.sum[l]))
		for p := range P {
			y[l*P+p] += gone * k.off[l*P+p]
		}
	}
	// 3. The state at its end.
	mulTile(k.update, N, k.bT, k.xT, Q, Q, N, P, nil)
	gone := float32(exp(total))
	for i, v := range k.update[:P*N] {
		state[i] = gone*state[i] + v
	}
}

// BenchmarkChunked compares the recurrence with the chunked form, for one head of the published models on one thread.
func BenchmarkChunked(b *testing.B) {
	const dim, states, tokens = 64, 128, 512
	s, r := randomHeads(1, dim, 1, states, tokens)
	s.DtMin, s.DtMax = 0, math.Inf(1)
	for i := range s.D {
		s.D[i] = 0
	}
	h, perState := make([]float32, dim*states), float64(dim*states*tokens)
	b.Run("recurrence", func(b *testing.B) {
		for b.Loop() {
			s.Run(r, h, 0, dim)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perState, "ns/state")
	})
	dt := make([]float64, tokens)
	for _, chunk := range []int{16, 32, 64, 128, 256} {
		k, y := newChunked(states, dim, chunk), make([]float32, tokens*dim)
		b.Run(fmt.Sprintf("chunks of %d", chunk), func(b *testing.B) {
			for b.Loop() {
				clear(h)
				for t := range dt {
					dt[t] = softplus(float64(r.Dt[t*r.DtStride]) + float64(s.DtBias[0]))
				}
				k.run(y, dt, float64(s.A[0]), r, h)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perState, "ns/state")
		})
		checkChunked(b, s, r, y, h)
	}
}

// checkChunked holds what the chunked form left behind to the textbook.
func checkChunked(b *testing.B, s *HeadScan, r *ScanRows, y, h []float32) {
	_, want := headsTextbook(s, r)
	scale, worst := 0.0, 0.0
	for i, v := range want {
		scale, worst = max(scale, math.Abs(v)), max(worst, math.Abs(float64(h[i])-v))
	}
	if !(worst <= 1e-5*scale) {
		b.Errorf("the state of the chunked form is off by %.2g of the largest", worst/scale)
	}
}
