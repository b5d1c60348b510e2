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

// TestGateOfItsOwn computes SwiGLU with the gate in a matrix of its own, and with both one after the other, as in files of
// Hugging Face's.
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
	both, down := tensor.Of("", slices.Concat(gate, up), 2*F, D), tensor.Of("", values(D*F, 3), D, F)
	first, second := both.Piece(0, F*D), both.Piece(F*D, 2*F*D)
	first.Shape, second.Shape = []int{F, D}, []int{F, D}
	m := &Model{cfg: &config.MambaConfig{Common: config.Common{HiddenSize: D}}, pool: parallel.NewPool(2)}
	defer m.pool.Close()
	var outs [][]float32
	for _, tensors := range []given{
		{tensors: map[string]tensor.Tensor{"gate.weight": tensor.Of("", gate, F, D), "up.weight": tensor.Of("", up, F, D), "down.weight": down}},
		{tensors: map[string]tensor.Tensor{"gate.weight": first, "up.weight": second, "down.weight": down}},
	} {
		step := blocks.Step{Kind: blocks.SwiGLU, MLP: &blocks.MLPSizes{Up: "up", Gate: "gate", Down: "down", Width: F}}
		block := newBlock(&step, tensors, &m.scratch)
		if fused := block.(*mlp).fused; fused != (len(outs) == 1) {
			t.Errorf("case %d: one product %v", len(outs), fused)
		}
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
