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

	DtBias, D        []float32 // [H]
	Floor            float64
	BBias, CBias     []float32 // [H, R, N]
	MixX, MixZ, MixY []float32 // [H, R, P]; nil: ones
	Norm             []float32 // [H, P], the weight of an RMS norm of each head; nil: there is no norm
	NormEps          float64
}

// TrapezoidRows are rows of projections, one for each token: z [H, P], x [H, P], B and C [R, G, N], dt, A and trap [H], angles.
// The norms of B and C are done. The result replaces x.
type TrapezoidRows struct {
	Tokens int
	Rows   []float32
	Stride int
}

// TrapezoidState is what the recurrence keeps of a sequence: the angles [H, Angles], the states [H, P, N], and of the last token
// k [R, H, N] and x [H, P].
type TrapezoidState struct{ Angle, SSM, K, X []float32 }

// trapezoidScratch is what one token of one head needs.
type trapezoidScratch struct {
	k, q, v  []float32 // [R, N], [R, N], [P]
	cos, sin []float64 // [Angles]
	y        []float64 // [R, P]
	out      []float64 // [P]
}

var trapezoids = sync.Pool{New: func() any { return new(trapezoidScratch) }}

// Run moves the states of the heads lo to hi over the rows, in time order. A token's sums, angles and states are rounded to
// float32 as the cache keeps them, so that rows may be cut anywhere.
func (m *Trapezoid) Run(r *TrapezoidRows, s *TrapezoidState, lo, hi int) {
	w := trapezoids.Get().(*trapezoidScratch)
	defer trapezoids.Put(w)
	w.resize(m)
	for h := lo; h < hi; h++ {
		for t := range r.Tokens {
			m.step(w, r.Rows[t*r.Stride:], s, h)
		}
	}
}

func (w *trapezoidScratch) resize(m *Trapezoid) {
	n, p := m.Rank*m.States, m.HeadDim
	w.k, w.q, w.v = sized(w.k, n), sized(w.q, n), sized(w.v, p)
	w.cos, w.sin = sized(w.cos, m.Angles), sized(w.sin, m.Angles)
	w.y, w.out = sized(w.y, m.Rank*p), sized(w.out, p)
}

func sized[T any](v []T, n int) []T { return slices.Grow(v[:0], n)[:n] }

// step moves head h over a token.
func (m *Trapezoid) step(w *trapezoidScratch, row []float32, s *TrapezoidState, h int) {
	H, P, N, R := m.Heads, m.HeadDim, m.States, m.Rank
	inner, bc := H*P, R*m.Groups*N
	z, x := row[h*P:][:P], row[inner+h*P:][:P]
	B, C := row[2*inner:][:bc], row[2*inner+bc:][:bc]
	rest := row[2*inner+2*bc:]

	dt := softplus(float64(rest[h]) + float64(m.DtBias[h]))
	decay := exp(-float64(max(heavyTail(float64(rest[H+h])), m.Floor) * dt))
	trap := float64(rest[2*H+h])
	now, before := float64(dt/(1+exp(-trap))), float64(float64(dt/(1+exp(trap)))*decay)

	w.turn(s.Angle[h*m.Angles:][:m.Angles], rest[3*H:], dt)
	group := h / (H / m.Groups)
	for r := range R {
		from, bias := (r*m.Groups+group)*N, (h*R+r)*N
		w.rotate(w.k[r*N:][:N], B[from:], m.BBias[bias:], m.Halves)
		w.rotate(w.q[r*N:][:N], C[from:], m.CBias[bias:], m.Halves)
	}

	state, last := s.SSM[h*P*N:][:P*N], s.X[h*P:][:P]
	high := float32(decay)
	low := float32(decay - float64(high))
	for r := range R {
		stepHead(w.out, state, before, high, low, m.mixed(w.v, last, h, r), s.K[(r*H+h)*N:][:N], w.q[:N])
		high, low = 1, 0
	}
	for r := range R {
		stepHead(w.y[(R-1)*P:], state, now, 1, 0, m.mixed(w.v, x, h, r), w.k[r*N:][:N], w.q[(R-1)*N:])
	}
	for r := range R - 1 {
		stepHead(w.y[r*P:][:P], state, 0, 1, 0, x, w.k[:N], w.q[r*N:][:N])
	}
	copy(last, x)
	for r := range R {
		copy(s.K[(r*H+h)*N:][:N], w.k[r*N:][:N])
	}
	m.gate(w, x, z, h)
}

// heavyTail is the activation of A: positive, and of slope 1 at 0.
func heavyTail(x float64) float64 {
	if x < 0 {
		return 1 / (1 - x)
	}
	return 1 + x
}

// turn moves the angles of a head on by what a token turns them in dt, and notes their cosines and sines.
func (w *trapezoidScratch) turn(angles, by []float32, dt float64) {
	for i, angle := range angles {
		sum := float64(angle) + float64(float64(tanh(float64(by[i]))*math.Pi)*dt)
		angles[i] = float32(sum - float64(2*math.Pi*math.Floor(sum/(2*math.Pi))))
		w.sin[i], w.cos[i] = samebits.Sincos(float64(angles[i]))
	}
}

func tanh(x float64) float64 {
	if x > 20 || x < -20 {
		return math.Copysign(1, x)
	}
	e := samebits.Expm1(2 * x)
	return e / (e + 2)
}

// rotate sets y [N] to x + bias, with its pairs turned.
func (w *trapezoidScratch) rotate(y, x, bias []float32, halves bool) {
	x, bias = x[:len(y)], bias[:len(y)]
	for i, v := range x {
		y[i] = float32(float64(v) + float64(bias[i]))
	}
	for i, cos := range w.cos {
		p, q := 2*i, 2*i+1
		if halves {
			p, q = i, i+len(y)/2
		}
		a, b, sin := float64(x[p])+float64(bias[p]), float64(x[q])+float64(bias[q]), w.sin[i]
		y[p], y[q] = float32(float64(a*cos)-float64(b*sin)), float32(float64(a*sin)+float64(b*cos))
	}
}

// mixed returns the input of rank r of head h: x, or x · MixX_r in v.
func (m *Trapezoid) mixed(v, x []float32, h, r int) []float32 {
	if m.MixX == nil {
		return x
	}
	mix := m.MixX[(h*m.Rank+r)*m.HeadDim:]
	for i := range v {
		v[i] = float32(float64(x[i]) * float64(mix[i]))
	}
	return v
}

// gate adds D·v to the sums of each rank, and norms, gates and mixes them into x, which is read before.
func (m *Trapezoid) gate(w *trapezoidScratch, x, z []float32, h int) {
	P, skip := m.HeadDim, float64(m.D[h])
	clear(w.out)
	for r := range m.Rank {
		y, mix := w.y[r*P:][:P], (h*m.Rank+r)*P
		for i, v := range m.mixed(w.v, x, h, r) {
			y[i] += float64(skip * float64(v))
		}
		m.norm(y, h)
		for i, v := range y {
			gate := float64(z[i])
			if m.MixZ != nil {
				gate = float64(gate * float64(m.MixZ[mix+i]))
			}
			v = float64(v * silu(gate))
			if m.MixY != nil {
				v = float64(v * float64(m.MixY[mix+i]))
			}
			w.out[i] += v
		}
	}
	for i, v := range w.out {
		x[i] = float32(v)
	}
}

// norm is the RMS norm of what a head gives, if there is one.
func (m *Trapezoid) norm(y []float64, h int) {
	if m.Norm == nil {
		return
	}
	var sum float64
	for _, v := range y {
		sum += float64(v * v)
	}
	scale, weight := 1/math.Sqrt(sum/float64(len(y))+m.NormEps), m.Norm[h*len(y):]
	for i := range y {
		y[i] = float64(float64(y[i]*scale) * float64(weight[i]))
	}
}
