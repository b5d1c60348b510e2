package reference

import (
	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
)

// mamba1 is the mixer of Mamba-1, FalconMamba and Jamba.
type mamba1[F constraints.Float] struct {
	*oracle[F]
	*blocks.Mamba1Sizes
}

// mix is Algorithm 2 inside the gated block of figure 3.             u [B·T, D] → [B·T, D]
func (m *mamba1[F]) mix(b binder, u []F, states []blocks.State[F]) []F {
	conv, ssm := &states[blocks.Conv], &states[blocks.SSM]
	I, N, R := m.Inner, m.StateSize, m.Rank
	xz := m.linear(b.Take("in_proj.weight"), u, m.bias(b, "in_proj.bias", m.Bias)) // [B·T, 2I]
	x := m.convolve(xz, 2*I, I, conv, m.vector(b, "conv1d.weight"), m.bias(b, "conv1d.bias", m.ConvBias))
	dbc := m.linear(b.Take("x_proj.weight"), x, nil) // [B·T, R+2N]
	if m.Normed {
		m.normParts(b, dbc)
	}
	dt := m.linear(b.Take("dt_proj.weight"), columns(dbc, R+2*N, R), m.vector(b, "dt_proj.bias")) // [B·T, I]
	for lo := 0; lo < len(dt) && !m.stopped(); lo += I {
		for i := range I {
			dt[lo+i] = softplus(dt[lo+i])
		}
	}
	m.narrow(dt)
	A := m.vector(b, "A_log") // [I, N]
	for i, v := range A {
		A[i] = -exp(v)
	}
	skip := m.vector(b, "D") // [I]
	y := make([]F, m.rows*I)
	for seq := range m.batch.Sequences {
		from, to := m.batch.Real(seq)
		for t := from; t < to && !m.stopped(); t++ {
			row := seq*m.batch.Tokens + t
			B, C := dbc[row*(R+2*N)+R:][:N], dbc[row*(R+2*N)+R+N:][:N]
			for d := range I {
				h := ssm.Of(seq)[d*N:][:N]
				step, in := dt[row*I+d], x[row*I+d]
				var sum F
				for n := range N {
					h[n] = F(exp(step*A[d*N+n])*h[n]) + F(step*B[n]*in)
					sum += F(h[n] * C[n])
				}
				m.narrowState(h)
				y[row*I+d] = narrowed(m.oracle, sum+F(skip[d]*in)) * narrowed(m.oracle, silu(xz[row*2*I+I+d]))
			}
		}
	}
	return m.outProj(b, y, m.bias(b, "out_proj.bias", m.Bias))
}

// normParts norms dt, B and C of every row of dbc [B·T, R+2N], each by itself.
func (m *mamba1[F]) normParts(b binder, dbc []F) {
	N, R := m.StateSize, m.Rank
	weights := make([][]F, 3)
	for i, name := range m.Norms {
		weights[i] = m.vector(b, name)
	}
	for row := range m.rows {
		part := dbc[row*(R+2*N):][:R+2*N]
		rmsNorm(part[:R], weights[0], F(m.NormEps))
		rmsNorm(part[R:R+N], weights[1], F(m.NormEps))
		rmsNorm(part[R+N:], weights[2], F(m.NormEps))
	}
	m.narrow(dbc)
}
