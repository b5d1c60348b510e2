package model

// linear is one projection. That of a Zamba layer brings what a shared block gave into the layer.
type linear struct {
	proj weight // [D, D]
}

func newLinear(b binder) *linear { return &linear{matrix(b, "weight")} }

// forward implements block.
func (m *linear) forward(c *chunk) { c.matMul(c.out, &m.proj, c.u, m.proj.Cols, nil) }
