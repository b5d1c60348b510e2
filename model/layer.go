package model

import "github.com/gomamba/gomamba/internal/kernel"

// layer runs the steps of layer l, one after the other. Most add to the residual stream: hidden += scale · block(norm(hidden)).
func (m *Model) layer(c *chunk, l int, cache *Cache) {
	if cache.scans != nil {
		c.carries = cache.scans[l]
	}
	for i := range m.weights.layers[l] {
		s := &m.weights.layers[l][i]
		u := c.u
		if s.norm.weight != nil || s.FromBranch { // else it reads what the one before it has read
			x := c.read(s)
			if s.Embedded || s.norm.weight == nil {
				c.u = x // normed in place, or not at all
			}
			if s.norm.weight != nil {
				m.norm(c, x, s.norm, s.width)
			}
			c.clearPadding(c.u, len(x)/c.rows)
		}
		c.states = cache.states[l][s.from:s.upTo]
		s.block.forward(c)
		if c.u = u; s.ToBranch {
			c.branch, c.out = c.out, c.branch
		} else {
			kernel.AddScaled(c.hidden, c.out, s.scale)
		}
	}
	c.states, c.carries = nil, nil
}

// read returns what a step norms: rows of D values, or of 2·D with the embeddings.
func (c *chunk) read(s *step) []float32 {
	switch D := c.model.cfg.Shared().HiddenSize; {
	case s.Embedded:
		for row := range c.rows {
			copy(c.joined[2*row*D:][:D], c.hidden[row*D:][:D])
			copy(c.joined[(2*row+1)*D:][:D], c.embedded[row*D:][:D])
		}
		return c.joined
	case s.FromBranch:
		return c.branch
	case s.WithBranch:
		kernel.Add(c.branch, c.hidden)
		return c.branch
	}
	return c.hidden
}

// norm sets c.u to the norm of each row of x, which is of one width.
func (m *Model) norm(c *chunk, x []float32, n norm, width []int) {
	c.normRows(rowNorm{y: c.u, x: x, stride: len(n.weight), parts: width, weight: n.weight, bias: n.bias, eps: m.weights.eps})
}
