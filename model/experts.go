package model

import (
	"strconv"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/tensor"
)

// experts is a mixture of experts (Shazeer and others 2017, arXiv:1701.06538): of many feed-forward blocks, each token passes
// through the few that a router chooses. There are three routers. Nemotron-H has that of DeepSeek-V3 (2024, arXiv:2412.19437, section
// 2.1.2): sigmoids with a correction, perhaps by groups. Granite's weights are a softmax over the chosen experts, Jamba's over all
// of them. Latent projections are those of Nemotron 3 Super. The steps follow forward in NemotronHMoE, GraniteMoeHybridMoE and
// JambaSparseMoeBlock of transformers.
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
	in, out             array // of some experts: [tokens, Z]
	beside              array // of the shared block: [B·T, D]

	gathering, adding pieceFunc // gather and add
}

func newExperts(b binder, s *scratch, sizes *blocks.ExpertSizes) *experts {
	m := &experts{
		ExpertSizes: sizes,
		router:      matrix(b, sizes.Router+".weight"),
		correction:  optional(b, sizes.Correction, sizes.Sigmoid),
		each:        make([]mlp, sizes.Count),
		logits:      s.reserve("router", sizes.Count),
	}
	width := m.router.Cols
	if sizes.Latent > 0 {
		width = sizes.Latent
		m.into, m.intoBias = matrix(b, sizes.Into+".weight"), optional(b, sizes.Into+".bias", sizes.Bias)
		m.outOf, m.outOfBias = matrix(b, sizes.OutOf+".weight"), optional(b, sizes.OutOf+".bias", sizes.Bias)
		m.latent, m.sum = s.reserve("latent", width), s.reserve("expert sums", width)
	}
	m.in, m.out = s.reserveCopies("expert inputs", width, sizes.Chosen), s.reserveCopies("expert outputs", width, sizes.Chosen)
	m.gathering, m.adding = m.gather, m.add
	for e := range m.each {
		m.each[e] = *newMLP(under{b, m.Each + strconv.Itoa(e) + "."}, s, &m.Expert, sizes.Chosen)
	}
	if sizes.Shared != nil {
		m.shared, m.beside = newMLP(b, s, sizes.Shared, 1), s.reserve("shared expert", m.router.Cols)
	}
	return m
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

// forward implements block.
func (m *experts) forward(c *chunk) {
	logits, r := c.scratch[m.logits], &c.routes
	r.from, r.to, r.width = c.u, c.out, m.router.Cols // without a latent space

	// 1. Choice of k experts for each token.            u [B·T, D] → logits [B·T, E] → experts and weights [B·T, k]
	c.matMul(logits, &m.router, c.u, m.router.Cols, nil)
	r.choose(m, c, logits)

	// 2. Projection into the latent space, if there is one.
	//                                                   u [B·T, D] → x [B·T, Z]
	if m.Latent > 0 {
		r.from, r.to, r.width = c.scratch[m.latent], c.scratch[m.sum][:c.rows*m.Latent], m.Latent
		c.matMul(r.from, &m.into, c.u, m.into.Cols, m.intoBias)
	}

	// 3. The experts in their order, as many at a time as their tokens have room, and only those that a token chose:
	//    Σ weight · expert(x).                          [B·T, Z]
	clear(r.to)
	for e := 0; e < m.Count; {
		e = m.pass(c, e)
	}

	// 4. Projection back; the shared block beside.      [B·T, Z] → out [B·T, D]
	if m.Latent > 0 {
		c.matMul(c.out, &m.outOf, r.to, m.Latent, m.outOfBias)
	}
	if m.shared != nil {
		beside := c.scratch[m.beside][:len(c.out)]
		m.shared.run(c, beside, c.u)
		kernel.Add(c.out, beside)
	}
}

// leastAdded is how many channels at least are added at a time.
const leastAdded = 64

// pass is step 3 for experts from first on. It returns the one to continue from.
func (m *experts) pass(c *chunk, first int) int {
	r, room, e := &c.routes, rowsOf(c.rows, m.Chosen), first
	r.passing, c.parts, r.whole = r.sorted[r.starts[first]:][:0], c.parts[:0], resized(r.whole, m.Count)
	for ; e < m.Count; e++ {
		n := len(r.of(e))
		if len(r.passing)+n > room {
			break
		}
		if n > 0 {
			r.whole[e] = span{tokens: n}
			c.parts = append(c.parts, part{&m.each[e], len(r.passing), tokens{r.whole[e : e+1], n}})
			r.passing = r.passing[:len(r.passing)+n]
		}
	}
	if len(r.passing) > 0 {
		in, out := c.scratch[m.in], c.scratch[m.out]
		c.inPieces(len(r.passing), 16, m.gathering)
		feedForward(c, out, in)
		c.inPieces(r.width, max(leastAdded, r.width/(4*c.model.pool.Threads())), m.adding)
	}
	return e
}

// gather copies the inputs of the routes lo to hi that are passing.
func (m *experts) gather(c *chunk, lo, hi int) {
	r, in := &c.routes, c.scratch[m.in]
	for i := lo; i < hi; i++ {
		copy(in[i*r.width:][:r.width], r.from[r.passing[i].row*r.width:])
	}
}

// add adds the channels lo to hi of what experts made of the routes that are passing, in the order of the experts.
func (m *experts) add(c *chunk, lo, hi int) {
	r, out := &c.routes, c.scratch[m.out]
	for i, route := range r.passing {
		kernel.AddScaled(r.to[route.row*r.width:][lo:hi], out[i*r.width:][lo:hi], route.weight)
	}
}
