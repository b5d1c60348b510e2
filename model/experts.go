package model

import (
	"strconv"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// experts is a mixture of experts (Shazeer and others 2017, arXiv:1701.06538): of many feed-forward blocks a token passes the
// few that a router chooses. Routers are those of DeepSeek-V3 (2024, arXiv:2412.19437, section 2.1.2), which Nemotron-H has, and
// of Granite; latent projections are those of Nemotron 3 Super. The steps are those of forward in NemotronHMoE and
// GraniteMoeHybridMoE of transformers.
type experts struct {
	*blocks.ExpertSizes

	router     weight    // [E, D]
	correction []float32 // [E], or nil
	each       []mlp     // [E]
	into       weight    // [Z, D], or nothing
	outOf      weight    // [D, Z], or nothing
	intoBias   []float32 // [Z], or nil
	outOfBias  []float32 // [D], or nil
	shared     *mlp      // nil: none

	logits, latent, sum array // [B·T, E], [B·T, Z], [B·T, Z]
	in, out             array // of one expert: [tokens, Z]
	beside              array // of the shared block: [B·T, D]
}

func newExperts(b binder, s *scratch, sizes *blocks.ExpertSizes) *experts {
	m := &experts{
		ExpertSizes: sizes,
		router:      matrix(b, s, sizes.Router+".weight"),
		correction:  optional(b, sizes.Correction, sizes.Sigmoid),
		each:        make([]mlp, sizes.Count),
		logits:      s.reserve("router", sizes.Count),
	}
	width := m.router.Cols
	if sizes.Latent > 0 {
		width = sizes.Latent
		m.into, m.intoBias = matrix(b, s, sizes.Into+".weight"), optional(b, sizes.Into+".bias", sizes.Bias)
		m.outOf, m.outOfBias = matrix(b, s, sizes.OutOf+".weight"), optional(b, sizes.OutOf+".bias", sizes.Bias)
		m.latent, m.sum = s.reserve("latent", width), s.reserve("expert sums", width)
	}
	m.in, m.out = s.reserve("expert inputs", width), s.reserve("expert outputs", width)
	m.bindEach(b, s)
	if sizes.Shared != nil {
		m.shared, m.beside = newMLP(b, s, sizes.Shared), s.reserve("shared expert", m.router.Cols)
	}
	return m
}

// bindEach binds the experts, which have tensors of their own or share them.
func (m *experts) bindEach(b binder, s *scratch) {
	if m.Each != "" {
		for e := range m.each {
			m.each[e] = *newMLP(under{b, m.Each + strconv.Itoa(e) + "."}, s, &m.Expert)
		}
		return
	}
	up, down := stacked(b, s, m.Expert.Up+".weight", m.Count), stacked(b, s, m.Expert.Down+".weight", m.Count)
	for e := range m.each {
		m.each[e] = *reserveMLP(s, &m.Expert)
		m.each[e].up, m.each[e].down = up[e], down[e]
	}
}

// under hands out the tensors whose names begin with a prefix.
type under struct {
	binder
	prefix string
}

// Take implements binder.
func (u under) Take(name string) tensor.Tensor { return u.binder.Take(u.prefix + name) }

// Delta implements binder.
func (u under) Delta(name string) *delta.Delta { return u.binder.Delta(u.prefix + name) }

// Fail implements binder.
func (u under) Fail(name string, err error) { u.binder.Fail(u.prefix+name, err) }

// stacked binds a tensor that holds a matrix for each of n experts, without copying it.
func stacked(b binder, s *scratch, name string, n int) []weight {
	t, all := b.Take(name), make([]weight, n)
	if b.Err() != nil {
		return all
	}
	size := t.Shape[1] * t.Shape[2]
	for e := range all {
		one := t.Piece(e*size, (e+1)*size)
		one.Shape = t.Shape[1:]
		all[e] = weight{kernel.NewMatrix(one), newChange(b, s, name, t, e), t.Name, e, n}
	}
	return all
}

// forward implements block.
func (m *experts) forward(c *chunk) {
	logits, in, out := c.scratch[m.logits], c.scratch[m.in], c.scratch[m.out]
	x, sum, Z := c.u, c.out, m.router.Cols // without a latent space

	// 1. Choice of k experts for each token.            u [B·T, D] → logits [B·T, E] → experts and weights [B·T, k]
	c.matMul(logits, &m.router, c.u, m.router.Cols, nil)
	c.routes.choose(m, c, logits)

	// 2. Projection into the latent space, if there is one.
	//                                                   u [B·T, D] → x [B·T, Z]
	if m.Latent > 0 {
		Z = m.Latent
		x, sum = c.scratch[m.latent], c.scratch[m.sum][:c.rows*Z]
		c.matMul(x, &m.into, c.u, m.into.Cols, m.intoBias)
	}

	// 3. Each expert in turn, for the tokens that chose it, so that a token's sum has the order of the experts:
	//    Σ weight · expert(x).                          [B·T, Z]
	clear(sum)
	for e := range m.each {
		routed := c.routes.of(e)
		if len(routed) == 0 {
			continue
		}
		for i, r := range routed {
			copy(in[i*Z:][:Z], x[r.row*Z:][:Z])
		}
		m.each[e].run(c, c.gathered(len(routed)), out, in)
		for i, r := range routed {
			kernel.AddScaled(sum[r.row*Z:][:Z], out[i*Z:][:Z], r.weight)
		}
	}

	// 4. Projection back; the shared block beside.      [B·T, Z] → out [B·T, D]
	if m.Latent > 0 {
		c.matMul(c.out, &m.outOf, sum, Z, m.outOfBias)
	}
	if m.shared != nil {
		beside := c.scratch[m.beside][:len(c.out)]
		m.shared.run(c, tokens{c.spans, c.rows}, beside, c.u)
		kernel.Add(c.out, beside)
	}
}
