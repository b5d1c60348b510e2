package model

import (
	"slices"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// given hands out tensors by name.
type given struct {
	unchanged
	tensors map[string]tensor.Tensor
}

func (g given) Take(name string) tensor.Tensor { return g.tensors[name] }

// TestGateOfItsOwn computes SwiGLU with the gate in a matrix of its own, and with both in one, which fixtures have.
func TestGateOfItsOwn(t *testing.T) {
	const D, F, rows = 20, 36, 5
	values := func(n, seed int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32((i*37+seed*11)%19-9) / 8
		}
		return v
	}
	gate, up := values(F*D, 1), values(F*D, 2)
	tensors := given{tensors: map[string]tensor.Tensor{
		"gate_proj.weight": tensor.Of("", gate, F, D), "up_proj.weight": tensor.Of("", up, F, D),
		"both.weight": tensor.Of("", slices.Concat(gate, up), 2*F, D), "down.weight": tensor.Of("", values(D*F, 3), D, F),
	}}
	m := &Model{cfg: &config.MambaConfig{Common: config.Common{HiddenSize: D}}, pool: parallel.NewPool(2)}
	defer m.pool.Close()
	var outs [][]float32
	for _, step := range []blocks.Step{
		{Kind: blocks.SwiGLU, MLP: &blocks.MLPSizes{Up: "up_proj", Gate: "gate_proj", Down: "down", Width: F}},
		{Kind: blocks.SwiGLU, MLP: &blocks.MLPSizes{Up: "both", Fused: true, Down: "down", Width: F}},
	} {
		block := newBlock(&step, tensors, &m.scratch, nil)
		c, b := m.newChunk(), Single(make([]int64, rows))
		c.moveTo(&b, 0, rows, 0)
		copy(c.u, values(rows*D, 4))
		block.forward(c)
		outs = append(outs, c.out)
	}
	if !slices.Equal(outs[0], outs[1]) {
		t.Errorf("in two matrices %v, in one %v", outs[0], outs[1])
	}
}
