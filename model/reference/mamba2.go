package reference

import (
	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
)

// mamba2 is the mixer of Mamba-2.
type mamba2[F constraints.Float] struct {
	*oracle[F]
	*blocks.Mamba2Sizes
}

// mix is the block of section 7.                                     u [B·T, D] → [B·T, D]
func (m *mamba2[F]) mix(b binder, u []F, states []blocks.State[F]) []F {
	conv, ssm := &states[blocks.Conv], &states[blocks.SSM]
	I, C, H, P, G := m.Inner(), m.Channels(), m.Heads, m.HeadDim, m.Groups
	width := I + C + H
	zxBCdt := m.linear(b.Take("in_proj.weight"), scaled(m.oracle, u, m.InScale), m.bias(b, "in_proj.bias", m.Bias)) // [B·T, I+C+H]
	m.sections(zxBCdt)
	xBC := m.convolve(zxBCdt[I:], width, C, conv, m.vector(b, "conv1d.weight"), m.bias(b, "conv1d.bias", m.ConvBias))
	A, skip, dtBias := m.vector(b, "A_log"), m.vector(b, "D"), m.vector(b, "dt_bias") // [H]
	norm := m.bias(b, "norm.weight", m.Norm != blocks.NoNorm)                         // [I]
	y, dt := make([]F, m.rows*I), make([]F, m.batch.Tokens)
	for seq := range m.batch.Sequences {
		from, to := m.batch.Real(seq)
		row := seq*m.batch.Tokens + from
		for h := range H {
			if m.stopped() {
				break
			}
			for t := range to - from {
				v := narrowed(m.oracle, softplus(zxBCdt[(row+t)*width+I+C+h]+dtBias[h]))
				dt[t] = min(max(v, F(m.Limit[0])), F(m.Limit[1]))
			}
			s := m.head(h, ssm.Of(seq)[h*P*m.StateSize:], xBC[row*C:], y[row*I:])
			s.scan(dt[:to-from], -exp(A[h]), m.variant.Chunked)
			m.narrowState(s.state[:P*m.StateSize])
		}
		for t := row; t < row+to-from && !m.stopped(); t++ {
			x, z, out := xBC[t*C:][:I], zxBCdt[t*width:][:I], y[t*I:][:I]
			for c := range out {
				out[c] = narrowed(m.oracle, out[c]+F(skip[c/P]*x[c]))
			}
			m.gated(out, z, norm, I/G)
		}
	}
	return m.outProj(b, y, m.bias(b, "out_proj.bias", m.OutBias))
}

// sections multiplies z, x, B, C and dt [B·T, I+C+H] by their factors.
func (m *mamba2[F]) sections(zxBCdt []F) {
	if m.Sections == nil {
		return
	}
	for rest := zxBCdt; len(rest) > 0; {
		for i, n := range []int{m.Inner(), m.Inner(), m.Groups * m.StateSize, m.Groups * m.StateSize, m.Heads} {
			for j := range n {
				rest[j] *= F(m.Sections[i])
			}
			rest = rest[n:]
		}
	}
	m.narrow(zxBCdt)
}

// gated multiplies y [I] by silu(z), before or after the norm of groups of some width, or without a norm.
func (m *mamba2[F]) gated(y, z, norm []F, width int) {
	gate := func() {
		for c := range y {
			y[c] *= narrowed(m.oracle, silu(z[c]))
		}
	}
	if m.Norm != blocks.NormBeforeGate {
		gate()
	}
	for lo := 0; lo < len(y) && m.Norm != blocks.NoNorm; lo += width {
		rmsNorm(y[lo:lo+width], norm[lo:lo+width], F(m.NormEps))
	}
	if m.Norm == blocks.NormBeforeGate {
		gate()
	}
}

// head is what one head scans. Token t of x, b and c is at t times xStride, of y at t times yStride.
type head[F constraints.Float] struct {
	dim, states, chunk int // P, N, Q
	state              []F // [P, N]
	x, b, c            []F // [T, P], [T, N], [T, N]
	y                  []F // [T, P], the result
	xStride, yStride   int
	stopped            func() bool
}

// head takes the part of head h from rows of xBC [T, C] and y [T, I], which begin with its first token.
func (m *mamba2[F]) head(h int, state, xBC, y []F) *head[F] {
	P, N, G := m.HeadDim, m.StateSize, m.Groups
	B := m.Inner() + h/(m.Heads/G)*N // where the B of its group stands
	return &head[F]{
		dim: P, states: N, chunk: m.Chunk, state: state,
		x: xBC[h*P:], b: xBC[B:], c: xBC[B+G*N:], y: y[h*P:],
		xStride: m.Channels(), yStride: m.Inner(), stopped: m.stopped,
	}
}

// scan sets y to s·C and moves the state on, token by token or chunk by chunk.
func (s *head[F]) scan(dt []F, a F, chunked bool) {
	if !chunked {
		for t, d := range dt {
			if s.stopped() {
				return
			}
			s.step(t, d, exp(d*a))
		}
		return
	}
	for from := 0; from < len(dt) && !s.stopped(); from += s.chunk {
		to := min(from+s.chunk, len(dt))
		s.one(from, dt[from:to], a)
	}
}

// step is the recurrence of section 2.1.
func (s *head[F]) step(t int, dt, decay F) {
	B, C := s.b[t*s.xStride:][:s.states], s.c[t*s.xStride:][:s.states]
	for p := range s.dim {
		state, in := s.state[p*s.states:][:s.states], s.x[t*s.xStride+p]
		var sum F
		for n := range state {
			state[n] = F(decay*state[n]) + F(dt*in*B[n])
			sum += F(state[n] * C[n])
		}
		s.y[t*s.yStride+p] = sum
	}
}

// one evaluates the chunk that begins at token from as Listing 1 does: decays between two tokens come from the
// difference of two cumulative sums, which in float32 costs digits that the recurrence keeps.
func (s *head[F]) one(from int, dt []F, a F) {
	sum := make([]F, len(dt)) // of dt·a, up to and with each token
	for l, d := range dt {
		sum[l] = F(d * a)
		if l > 0 {
			sum[l] += sum[l-1]
		}
	}
	for l := range dt {
		C := s.c[(from+l)*s.xStride:][:s.states]
		y, gone := s.y[(from+l)*s.yStride:][:s.dim], exp(sum[l])
		for p := range y {
			y[p] = F(gone * dot(C, s.state[p*s.states:][:s.states]))
		}
		for k := range l + 1 {
			score := exp(sum[l]-sum[k]) * dot(C, s.b[(from+k)*s.xStride:][:s.states]) * dt[k]
			for p := range y {
				y[p] += F(score * s.x[(from+k)*s.xStride+p])
			}
		}
	}
	last := sum[len(sum)-1]
	gone := exp(last)
	for i := range s.state[:s.dim*s.states] {
		s.state[i] *= gone
	}
	for k, d := range dt {
		left, at := exp(last-sum[k])*d, (from+k)*s.xStride
		for p, in := range s.x[at:][:s.dim] {
			for n, v := range s.b[at:][:s.states] {
				s.state[p*s.states+n] += F(left * in * v)
			}
		}
	}
}
