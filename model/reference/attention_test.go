package reference

import (
	"context"
	"testing"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// under hands out the tensors of a file whose names begin with a prefix.
type under struct {
	file   *safetensors.File
	prefix string
}

func (u under) Take(name string) tensor.Tensor {
	t, _ := u.file.Tensor(u.prefix + name)
	return t
}

func (under) Err() error { return nil }

// TestAttention holds the oracle's attention to transformers', in float64: fixtures/attention.py.
func TestAttention(t *testing.T) {
	file, err := safetensors.Open("../testdata/attention.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pool := parallel.NewPool(1)
	defer pool.Close()
	for name, a := range map[string]*blocks.Attention{
		"granite":   {Heads: 4, KeyHeads: 2, Dim: 8, Scale: 0.3, KeyScale: 1, Bias: true, OutBias: true},
		"falcon_h1": {Heads: 4, KeyHeads: 1, Dim: 16, Scale: 0.25, KeyScale: 0.4, Turned: 16, Theta: 10000},
		"bamba":     {Heads: 2, KeyHeads: 2, Dim: 16, Scale: 0.25, KeyScale: 1, Turned: 8, Theta: 10000},
	} {
		tensors := under{file, name + "."}
		x, want, keys := tensors.Take("x"), tensors.Take("out"), tensors.Take("keys")
		step := &blocks.Step{Kind: blocks.SelfAttention, Attention: a}
		tokens := x.Shape[1]
		o := &oracle[float64]{batch: model.Single(make([]int64, tokens)), rows: tokens, bind: tensors, pool: pool, ctx: context.Background()}
		states := blocks.New[float64]([][]blocks.Spec{step.States(nil)}, 1)[0]
		got := o.block(step)(tensors, tensor.Float64s(x), states)
		for what, pair := range map[string][2][]float64{"out": {got, tensor.Float64s(want)}, "keys": {states[blocks.Keys].All(), tensor.Float64s(keys)}} {
			if r, err := numcheck.Compare(pair[0], pair[1], nil); err != nil || !(r.MaxRel <= 1e-13) {
				t.Errorf("%s, %s: %.3g of the largest value (%v)", name, what, r.MaxRel, err)
			}
		}
	}
}
