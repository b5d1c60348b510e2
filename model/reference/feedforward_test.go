package reference

import (
	"context"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// given hands out tensors by name.
type given map[string]tensor.Tensor

func (g given) Take(name string) tensor.Tensor { return g[name] }

func (given) Err() error { return nil }

// TestGateOfItsOwn computes SwiGLU with the gate in a matrix of its own, and with both in one, which fixtures have.
func TestGateOfItsOwn(t *testing.T) {
	gate, up := []float32{1, 2, -3, 4}, []float32{0.5, -1, 2, 3}
	tensors := given{
		"gate_proj.weight": tensor.Of("", gate, 2, 2), "up_proj.weight": tensor.Of("", up, 2, 2),
		"both.weight": tensor.Of("", slices.Concat(gate, up), 4, 2), "down.weight": tensor.Of("", []float32{1, -2, 3, 4}, 2, 2),
	}
	pool := parallel.NewPool(1)
	defer pool.Close()
	o := &oracle[float64]{rows: 3, bind: tensors, pool: pool, ctx: context.Background()}
	var outs [][]float64
	for _, sizes := range []blocks.MLPSizes{
		{Up: "up_proj", Gate: "gate_proj", Down: "down", Width: 2}, {Up: "both", Fused: true, Down: "down", Width: 2},
	} {
		outs = append(outs, o.block(&blocks.Step{Kind: blocks.SwiGLU, MLP: &sizes})(tensors, []float64{1, 2, 3, 4, -5, 6}, nil))
	}
	if !slices.Equal(outs[0], outs[1]) {
		t.Errorf("in two matrices %v, in one %v", outs[0], outs[1])
	}
}
