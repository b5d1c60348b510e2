package reference

import (
	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
)

// zamba is the mixer of Mamba-1 by heads, each with a selection of its own.
type zamba[F constraints.Float] struct {
	*oracle[F]
	*blocks.Mamba1Sizes
}

// mix is that of mamba1, head by head.                               u [B·T, D] → [B·T, D]
func (m *zamba[F]) mix(b binder, u []F, states []blocks.State[F]) []F {
	conv, ssm := &states[blocks.Conv], &states[blocks.SSM]
	I, N, P := m.Inner, m.StateSize, m.Inner/m.Heads
	turns := m.linear(b.Take("in_proj.weight"), u, m.bias(b, "in_proj.bias", m.Bias)) // [B·T, 2I], x and z by turns
	in, z := make([]F, m.rows*I), make([]F, m.rows*I)
	for i := range in {
		in[i], z[i] = turns[2*i], turns[2*i+1]
	}
	x := m.convolve(in, I, I, conv, m.vector(b, "conv1d.weight"), m.bias(b, "conv1d.bias", m.ConvBias))
	A, skip, bias := m.vector(b, "A_log"), m.vector(b, "D"), m.vector(b, "dt_proj_bias") // [H, P, N], [H, P], [H, P]
	selection, steps := b.Take("x_proj_weight"), b.Take("dt_proj_weight")                // [H, R+2N, P], [H, P, R]
	y := make([]F, m.rows*I)
	if m.bind.Err() != nil {
		return y
	}
	for h := range m.Heads {
		head := columns(x[h*P:], I, P) // [B·T, P]
		dbc := m.linear(slab(selection, h), head, nil)
		width := m.Rank + 2*N
		dt := m.linear(slab(steps, h), columns(dbc, width, m.Rank), bias[h*P:][:P]) // [B·T, P]
		for i, v := range dt {
			dt[i] = softplus(v)
		}
		m.narrow(dt)
		for seq := range m.batch.Sequences {
			from, to := m.batch.Real(seq)
			for t := from; t < to && !m.stopped(); t++ {
				row := seq*m.batch.Tokens + t
				B, C := dbc[row*width+m.Rank:][:N], dbc[row*width+m.Rank+N:][:N]
				for p := range P {
					d := h*P + p
					state, step, v := ssm.Of(seq)[d*N:][:N], dt[row*P+p], head[row*P+p]
					var sum F
					for n := range N {
						state[n] = F(exp(-step*exp(A[d*N+n]))*state[n]) + F(step*B[n]*v)
						sum += F(state[n] * C[n])
					}
					m.narrowState(state)
					y[row*I+d] = narrowed(m.oracle, sum+F(skip[d]*v)) * narrowed(m.oracle, silu(z[row*I+d]))
				}
			}
		}
	}
	return m.outProj(b, y, m.bias(b, "out_proj.bias", m.Bias))
}
