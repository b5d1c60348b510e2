package kernel

import (
	"math"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/samebits"
)

// Trapezoid is the recurrence of Mamba-3 with all that it does to the projections of a token (Lahoti and others 2026, "Mamba-3:
// Improved Sequence Modeling using State Space Principles"; mamba_ssm/modules/mamba3.py). Its discretisation is
// exponential-trapezoidal, its states turn as complex ones do, and with a rank R above 1 (MIMO) R inputs and outputs share the
// states of a head. Of head h, which reads B and C of group h/(H/G), at a token:
//
//	dt      = softplus(dt + bias)
//	A       = -max(tail(A), Floor), tail(a) = 1 + a from 0 on and 1/(1 - a) below
//	angle   = (angle + π·tanh(angle input)·dt) mod 2π
//	k_r     = turn(B_r + its bias, angle)
//	q_r     = turn(C_r + its bias, angle)
//	v_r     = x · MixX_r
//	λ       = sigmoid(trap)
//	s       = e^(A·dt)·s + (1-λ)·dt·e^(A·dt)·Σ_r v_r⊗k_r of the token before + λ·dt·Σ_r v_r⊗k_r         [P, N]
//	y_r     = s·q_r + D·v_r
//	y       = Σ_r MixY_r · norm(y_r) · silu(z · MixZ_r)                                                 [P]
//
// Turning keys and queries by the sum of all angles so far is the same as turning the states by each.
type Trapezoid struct {
	Heads, HeadDim, Groups, States int // H, P, G, N
	Rank                           int // R
	Angles                         int // how many pairs of states turn, from the first on
	// Halves pairs state i with i + N/2; otherwise pairs are neighbours.
	Halves bool

	DtBias           []float32 // [H]
	Floor            float64
	D                []float32 // [H], and after Ready [H, R, P], times MixX
	BBias, CBias     []float32 // [H, R, N]
	MixX, MixZ, MixY []float32 // [H, R, P]; nil: ones
	Norm             []float32 // [H, P], the weight of an RMS norm of each head; nil: there is no norm
	NormEps          float64
}

// Ready lays the weights out for Run.
func (m *Trapezoid) Ready() {
	ones := slices.Repeat([]float32{1}, m.Heads*m.Rank*m.HeadDim)
	if m.MixX == nil {
		m.MixX = ones
	}
	if m.MixY == nil && m.Norm != nil {
		m.MixZ, m.MixY = ones, ones
	}
	skip := make([]float32, len(m.MixX))
	for i, mix := range m.MixX {
		skip[i] = m.D[i/(m.Rank*m.HeadDim)] * mix
	}
	m.D = skip
}

// TrapezoidRows are rows of projections, one for each token: z [H, P], x [H, P], B and C [R, G, N], dt, A and trap [H], angle
// inputs [Angles]. The norms of B and C are done, and Turns [T, 2, Angles] is what TurnRates gives. The result replaces x.
type TrapezoidRows struct {
	Tokens int
	Rows   []float32
	Stride int
	Turns  []float32
}

// TrapezoidState is what the recurrence keeps of a sequence: the angles [H, Angles], the states [H, P, N], and of the last token
// k [R, H, N] and x [H, P].
type TrapezoidState struct{ Angle, SSM, K, X []float32 }

// offsets returns where in a row x, B, C and dt begin.
func (m *Trapezoid) offsets() (x, b, c, dt int) {
	inner, bc := m.Heads*m.HeadDim, m.Rank*m.Groups*m.States
	return inner, 2 * inner, 2*inner + bc, 2*inner + 2*bc
}

// TurnRates sets r.Turns to π·tanh of the angle inputs lo to hi, which all heads share: each as the sum of two float32, [2, Angles].
func (m *Trapezoid) TurnRates(r *TrapezoidRows, lo, hi int) {
	_, _, _, at := m.offsets()
	at += 3 * m.Heads
	for t := range r.Tokens {
		high, low := r.Turns[2*t*m.Angles:][:m.Angles], r.Turns[(2*t+1)*m.Angles:][:m.Angles]
		for i, v := range r.Rows[t*r.Stride+at:][lo:hi] {
			turn := float64(tanh(float64(v)) * math.Pi)
			high[lo+i] = float32(turn)
			low[lo+i] = float32(turn - float64(high[lo+i]))
		}
	}
}

func tanh(x float64) float64 {
	if x > 20 || x < -20 {
		return math.Copysign(1, x)
	}
	e := samebits.Expm1(2 * x)
	return e / (e + 2)
}

// trapezoidScratch is what one head needs for some tokens, T. Their k stand behind that of the token before.
type trapezoidScratch struct {
	trapezoidSteps
	cos, sin []float64 // [Angles]
	sums     []float64 // [T, R, P]
	out      []float64 // [P]
	zeros    []float32 // [P]
}

var trapezoids = sync.Pool{New: func() any { return new(trapezoidScratch) }}

// Run moves the states of the heads lo to hi over the rows, in time order. A token's angles, k, x and states are rounded to
// float32 as the cache keeps them, so that rows may be cut anywhere.
func (m *Trapezoid) Run(r *TrapezoidRows, s *TrapezoidState, lo, hi int) {
	w := trapezoids.Get().(*trapezoidScratch)
	defer trapezoids.Put(w)
	atOnce := max(1, stepTokens/m.Rank)
	w.resize(m, atOnce)
	P, N := m.HeadDim, m.States
	for h := lo; h < hi; h++ {
		for rank := range m.Rank {
			copy(w.k[rank*N:][:N], s.K[(rank*m.Heads+h)*N:])
		}
		for t := 0; t < r.Tokens; t += atOnce {
			piece := r.slice(m, t, min(t+atOnce, r.Tokens))
			for i := range piece.Tokens {
				m.discretise(w, &piece, i, s, h)
			}
			w.run(w.sums, s.SSM[h*P*N:][:P*N], piece.Tokens)
			last := piece.Rows[(piece.Tokens-1)*piece.Stride:]
			copy(s.X[h*P:][:P], last[(m.Heads+h)*P:])
			m.gate(w, &piece, h)
			copy(w.k[:m.Rank*N], w.k[piece.Tokens*m.Rank*N:])
		}
		for rank := range m.Rank {
			copy(s.K[(rank*m.Heads+h)*N:][:N], w.k[rank*N:])
		}
	}
}

// slice returns the rows of tokens from to to.
func (r *TrapezoidRows) slice(m *Trapezoid, from, to int) TrapezoidRows {
	return TrapezoidRows{Tokens: to - from, Rows: r.Rows[from*r.Stride:], Stride: r.Stride, Turns: r.Turns[2*from*m.Angles:]}
}

func (w *trapezoidScratch) resize(m *Trapezoid, tokens int) {
	w.rank, w.channels, w.states = m.Rank, m.HeadDim, m.States
	n, p := m.Rank*m.States, m.Rank*m.HeadDim
	w.k, w.q, w.in = sized(w.k, (tokens+1)*n), sized(w.q, tokens*n), sized(w.in, 2*tokens*p)
	w.cos, w.sin = sized(w.cos, m.Angles), sized(w.sin, m.Angles)
	w.sums, w.out, w.zeros = sized(w.sums, tokens*p), sized(w.out, m.HeadDim), sized(w.zeros, m.HeadDim)
	clear(w.zeros)
}

func sized[T any](v []T, n int) []T { return slices.Grow(v[:0], n)[:n] }

// discretise sets what token t does to head h: its decay, inputs, keys and queries.
func (m *Trapezoid) discretise(w *trapezoidScratch, r *TrapezoidRows, t int, s *TrapezoidState, h int) {
	H, P, N, R := m.Heads, m.HeadDim, m.States, m.Rank
	row := r.Rows[t*r.Stride:]
	xAt, bAt, cAt, dtAt := m.offsets()
	rest := row[dtAt:]

	dt := softplus(float64(rest[h]) + float64(m.DtBias[h]))
	decay := exp(-float64(max(heavyTail(float64(rest[H+h])), m.Floor) * dt))
	w.high[t] = float32(decay)
	w.low[t] = float32(decay - float64(w.high[t]))
	other := exp(-float64(rest[2*H+h])) // (1-λ)/λ
	now := dt / (1 + other)
	before := float64(float64(now*other) * decay)

	turns := r.Turns[2*t*m.Angles:][:2*m.Angles]
	turn(s.Angle[h*m.Angles:][:m.Angles], turns[:m.Angles], turns[m.Angles:], dt, w.cos, w.sin)
	group := h / (H / m.Groups)
	for rank := range R {
		from, bias := (rank*m.Groups+group)*N, (h*R+rank)*N
		rotate(w.k[((t+1)*R+rank)*N:][:N], row[bAt+from:][:N], m.BBias[bias:][:N], w.cos, w.sin, m.Halves)
		rotate(w.q[(t*R+rank)*N:][:N], row[cAt+from:][:N], m.CBias[bias:][:N], w.cos, w.sin, m.Halves)
	}

	x, last := row[xAt+h*P:][:P], s.X[h*P:][:P]
	if t > 0 {
		last = r.Rows[(t-1)*r.Stride+xAt+h*P:][:P]
	}
	in := w.in[2*t*R*P:][:2*R*P]
	for rank := range R {
		mix := m.MixX[(h*R+rank)*P:][:P]
		scaleRow(in[rank*P:][:P], last, mix, before)
		scaleRow(in[(R+rank)*P:][:P], x, mix, now)
	}
}

// heavyTail is the activation of A: positive, and of slope 1 at 0.
func heavyTail(x float64) float64 {
	if x < 0 {
		return 1 / (1 - x)
	}
	return 1 + x
}

// gate adds D·v to the sums of each rank, and norms, gates and mixes them into x.
func (m *Trapezoid) gate(w *trapezoidScratch, r *TrapezoidRows, h int) {
	R, P := m.Rank, m.HeadDim
	for t := range r.Tokens {
		row := r.Rows[t*r.Stride:]
		z, x, sums := row[h*P:][:P], row[(m.Heads+h)*P:][:P], w.sums[t*R*P:][:R*P]
		if m.MixY == nil {
			gate(x, sums, m.D[h*P:][:P], x, z)
			continue
		}
		clear(w.out)
		for rank := range R {
			y, at := sums[rank*P:][:P], (h*R+rank)*P
			skip := m.D[at:][:P]
			if m.Norm != nil {
				for i, d := range skip {
					y[i] += float64(float64(d) * float64(x[i]))
				}
				m.norm(y, h)
				skip = w.zeros
			}
			gateRank(w.out, y, skip, x, z, m.MixZ[at:][:P], m.MixY[at:][:P])
		}
		for i, v := range w.out {
			x[i] = float32(v)
		}
	}
}

// norm is the RMS norm of what a head gives.
func (m *Trapezoid) norm(y []float64, h int) {
	var sum float64
	for _, v := range y {
		sum += float64(v * v)
	}
	scale, weight := 1/math.Sqrt(sum/float64(len(y))+m.NormEps), m.Norm[h*len(y):]
	for i := range y {
		y[i] = float64(float64(y[i]*scale) * float64(weight[i]))
	}
}
