package reference

import (
	"math"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/samebits"
)

// mamba3 is the mixer of Mamba-3.
type mamba3[F constraints.Float] struct {
	*oracle[F]
	*blocks.Mamba3Sizes

	dtBias, skip, biasB, biasC, mixX, mixZ, mixY, norm []F
}

// mix projects, runs the recurrence of every head over every token, and projects back.       u [B·T, D] → [B·T, D]
func (m *mamba3[F]) mix(b binder, u []F, states []blocks.State[F]) []F {
	I, RGN, width := m.Inner(), m.Rank*m.Groups*m.StateSize, m.Projected()
	proj := m.linear(b.Take("in_proj.weight"), u, nil) // [B·T, 2I+2RGN+3H+A]
	normB, normC := m.vector(b, "B_norm.weight"), m.vector(b, "C_norm.weight")
	m.dtBias, m.skip, m.biasB, m.biasC = m.vector(b, "dt_bias"), m.vector(b, "D"), m.vector(b, "B_bias"), m.vector(b, "C_bias")
	m.mixX, m.mixZ, m.mixY = m.bias(b, "mimo_x", m.MIMO), m.bias(b, "mimo_z", m.MIMO), m.bias(b, "mimo_o", m.MIMO)
	m.norm = m.bias(b, "norm.weight", m.OutNorm)
	y := make([]F, m.rows*I)
	if m.bind.Err() != nil {
		return u
	}
	for seq := range m.batch.Sequences {
		from, to := m.batch.Real(seq)
		for t := from; t < to && !m.stopped(); t++ {
			at := seq*m.batch.Tokens + t
			row := proj[at*width:][:width]
			for lo := 2 * I; lo < 2*I+RGN; lo += m.StateSize {
				rmsNorm(row[lo:][:m.StateSize], normB, F(m.NormEps))
				rmsNorm(row[lo+RGN:][:m.StateSize], normC, F(m.NormEps))
			}
			m.narrow(row[2*I:][:2*RGN])
			for h := range m.Heads {
				m.step(row, y[at*I+h*m.HeadDim:][:m.HeadDim], states, seq, h)
			}
		}
		m.narrowState(states[blocks.SSM3].Of(seq))
		m.narrow(states[blocks.LastK].Of(seq))
	}
	return m.outProj(b, y, nil)
}

// step is the recurrence of one head at one token: the exponential-trapezoidal rule, with states that turn.
func (m *mamba3[F]) step(row, out []F, states []blocks.State[F], seq, h int) {
	H, P, N, R, G := m.Heads, m.HeadDim, m.StateSize, m.Rank, m.Groups
	I, RGN := m.Inner(), m.Rank*m.Groups*m.StateSize
	z, x, rest := row[h*P:][:P], row[I+h*P:][:P], row[2*I+2*RGN:]
	angle, s := states[blocks.Angle].Of(seq)[h*m.Angles:][:m.Angles], states[blocks.SSM3].Of(seq)[h*P*N:][:P*N]
	lastK, lastX := states[blocks.LastK].Of(seq), states[blocks.LastX].Of(seq)[h*P:][:P]

	dt := softplus(rest[h] + m.dtBias[h])
	A := -max(heavyTail(rest[H+h]), F(m.Floor))
	trap := 1 / (1 + exp(-rest[2*H+h]))
	alpha := exp(A * dt)
	beta, gamma := (1-trap)*dt*alpha, trap*dt
	for i := range angle {
		angle[i] += F(math.Pi * tanh(rest[3*H+i]) * dt)
		angle[i] -= F(2 * math.Pi * F(math.Floor(float64(angle[i]/(2*math.Pi)))))
	}

	k, q := make([][]F, R), make([][]F, R)
	for r := range R {
		from, bias := 2*I+(r*G+h/(H/G))*N, (h*R+r)*N
		k[r] = m.turned(row[from:][:N], m.biasB[bias:], angle)
		q[r] = m.turned(row[from+RGN:][:N], m.biasC[bias:], angle)
	}
	for p := range P {
		for n := range N {
			var before, now F
			for r := range R {
				before += F(m.mixed(m.mixX, lastX[p], h, r, p) * lastK[(r*H+h)*N+n])
				now += F(m.mixed(m.mixX, x[p], h, r, p) * k[r][n])
			}
			s[p*N+n] = F(alpha*s[p*N+n]) + F(beta*before) + F(gamma*now)
		}
	}
	for r := range R {
		y := make([]F, P)
		for p := range P {
			y[p] = dot(s[p*N:][:N], q[r]) + F(m.skip[h]*m.mixed(m.mixX, x[p], h, r, p))
		}
		if m.OutNorm {
			rmsNorm(y, m.norm[h*P:], F(m.NormEps))
		}
		for p := range P {
			out[p] += m.mixed(m.mixY, y[p]*silu(m.mixed(m.mixZ, z[p], h, r, p)), h, r, p)
		}
	}
	for r := range R {
		copy(lastK[(r*H+h)*N:][:N], k[r])
	}
	copy(lastX, x)
}

// mixed is v times the weight of a channel and rank, if there are such weights.
func (m *mamba3[F]) mixed(weight []F, v F, h, r, p int) F {
	if weight == nil {
		return v
	}
	return F(v * weight[(h*m.Rank+r)*m.HeadDim+p])
}

// turned is x + bias with its pairs turned by the angles.
func (m *mamba3[F]) turned(x, bias, angles []F) []F {
	y := make([]F, len(x))
	for i, v := range x {
		y[i] = v + bias[i]
	}
	for i, angle := range angles {
		p, q := 2*i, 2*i+1
		if m.MIMO {
			p, q = i, i+len(x)/2
		}
		sin, cos := samebits.Sincos(float64(angle))
		a, b := y[p], y[q]
		y[p], y[q] = F(a*F(cos))-F(b*F(sin)), F(a*F(sin))+F(b*F(cos))
	}
	return y
}

// heavyTail is the activation of A.
func heavyTail[F constraints.Float](x F) F {
	if x < 0 {
		return 1 / (1 - x)
	}
	return 1 + x
}

func tanh[F constraints.Float](x F) F {
	if math.Abs(float64(x)) > 20 {
		return F(math.Copysign(1, float64(x)))
	}
	e := samebits.Expm1(2 * float64(x))
	return F(e / (e + 2))
}
