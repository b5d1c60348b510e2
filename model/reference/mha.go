package reference

import (
	"math"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// mha is attention with one projection for queries, keys and values, a causal convolution over them and an MLP beside the heads.
type mha[F constraints.Float] struct {
	attention[F]
	*blocks.Around
}

// mix is attention of what the projection and the convolution give.    u [B·T, D] → [B·T, D]
func (m *mha[F]) mix(b binder, u []F, states []blocks.State[F]) []F {
	width, queries := m.Channels+2*m.Width, m.Heads*m.Dim
	proj := m.linear(b.Take("in_proj.weight"), u, m.bias(b, "in_proj.bias", m.Bias)) // [B·T, q·hd + 2·kv·hd + 2·Width]
	if m.bind.Err() != nil {
		return u
	}
	qkv := columns(proj, width, m.Channels)
	if m.Kernel > 0 {
		qkv = m.filter(proj, width, m.Channels, &states[blocks.QKV], m.vector(b, "conv1d.weight"), m.vector(b, "conv1d.bias"))
		m.narrow(qkv)
	}
	keys := m.KeyHeads * m.Dim
	part := func(from, n int) (list []F) {
		for t := range m.rows {
			list = append(list, qkv[t*m.Channels+from:][:n]...)
		}
		return list
	}
	y := m.heads(part(0, queries), part(queries, keys), part(queries+keys, keys), states)
	if m.Width > 0 {
		var both []F
		for t := range m.rows {
			x := proj[t*width+m.Channels:][:2*m.Width]
			both = append(append(both, y[t*queries:][:queries]...), gated(m.oracle, x[:m.Width], x[m.Width:])...)
		}
		y = both
	}
	return m.linear(b.Take("out_proj.weight"), y, m.bias(b, "out_proj.bias", m.OutBias))
}

// gated returns x·silu(gate).
func gated[F constraints.Float](o *oracle[F], x, gate []F) []F {
	y := make([]F, len(x))
	for i := range x {
		y[i] = x[i] * narrowed(o, silu(gate[i]))
	}
	return o.narrow(y)
}

// gatedMLP is SwiGLU with one projection, of whose rows the first half is the input.
type gatedMLP[F constraints.Float] struct {
	*oracle[F]
	*blocks.MLPSizes
}

// mix is fc2(y·silu(gate)), with y and gate from fc1.                  u [B·T, D] → [B·T, D]
func (m *gatedMLP[F]) mix(b binder, u []F, _ []blocks.State[F]) []F {
	wide := m.linear(b.Take(m.Up+".weight"), u, nil)
	if m.bind.Err() != nil {
		return u
	}
	var y []F
	for t := range m.rows {
		row := wide[t*2*m.Width:][:2*m.Width]
		y = append(y, gated(m.oracle, row[:m.Width], row[m.Width:])...)
	}
	return m.linear(b.Take(m.Down+".weight"), y, nil)
}

// stepNorm returns the norm before a step.
func (o *oracle[F]) stepNorm(x []F, b binder, s *blocks.Step) []F {
	if s.Bias != "" {
		return o.layerNorm(x, b.Take(s.Norm), b.Take(s.Bias))
	}
	return o.norm(x, b.Take(s.Norm))
}

// finalNorm returns the norm before the head.
func (o *oracle[F]) finalNorm(x []F) []F {
	if blocks.FinalBias(o.family) {
		return o.layerNorm(x, o.bind.Take(names.FinalNorm), o.bind.Take(names.FinalNormBias))
	}
	return o.norm(x, o.bind.Take(names.FinalNorm))
}

// layerNorm returns (x - mean) / sqrt(var + eps) · weight + bias of every row.
func (o *oracle[F]) layerNorm(x []F, weight, bias tensor.Tensor) []F {
	D, w, b := o.cfg.HiddenSize, o.values(weight), o.values(bias)
	y := append([]F(nil), x...)
	if o.bind.Err() != nil {
		return y
	}
	for row := range o.rows {
		if o.stopped() {
			break
		}
		x := y[row*D:][:D]
		var sum, squares F
		for _, v := range x {
			sum += v
		}
		mean := sum / F(D)
		for _, v := range x {
			squares += F((v - mean) * (v - mean))
		}
		scale := 1 / F(math.Sqrt(float64(squares/F(D)+F(o.cfg.LayerNormEpsilon))))
		for i, v := range x {
			x[i] = F((v-mean)*scale*w[i]) + b[i]
		}
	}
	return o.narrow(y)
}
