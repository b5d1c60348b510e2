package model

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// block is the part of a layer that differs from kind to kind. Its file binds its weights and lays out its scratch.
type block interface {
	// forward maps the normed inputs c.u [B·T, D] of a chunk to c.out [B·T, D], moving the block's states, c.states, on.
	// Padding reads as u = 0 and leaves the states alone.
	forward(c *chunk)
}

// binder hands out tensors by name, and what is to be changed in them: a loader.Binder.
type binder interface {
	Take(name string) tensor.Tensor
	Delta(name string) *delta.Delta
	Fail(name string, err error)
	Err() error
}

// newBlock binds the tensors of a block, which are under b, and reserves its scratch.
func newBlock(step *blocks.Step, b binder, s *scratch) block {
	switch step.Kind {
	case blocks.Mamba1, blocks.FalconMamba:
		return newMamba1(b, s, step.Mamba1)
	case blocks.Mamba2:
		return newMamba2(b, s, step.Mamba2)
	case blocks.Mamba3:
		return newMamba3(b, s, step.Mamba3)
	case blocks.SelfAttention:
		return newAttention(b, s, step.Attention)
	case blocks.MHA:
		return newMHA(b, s, step.Attention, step.Around)
	case blocks.GatedMLP:
		return newGatedMLP(b, s, step.MLP)
	case blocks.MLP, blocks.SwiGLU:
		return newMLP(b, s, step.MLP, 1)
	case blocks.Zamba:
		return newZamba(b, s, step.Mamba1)
	case blocks.Linear:
		return newLinear(b)
	case blocks.MoE, blocks.SwiGLUMoE:
		return newExperts(b, s, step.Experts)
	}
	panic(fmt.Sprintf("model: no block of kind %q", step.Kind))
}

// step is a norm and the block that reads what it gives: hidden += scale · block(norm(hidden)), unless its flow says otherwise.
type step struct {
	norm       norm  // [D], or [2·D] of one that reads the embeddings too; without a weight there is none
	width      []int // of the norm
	block      block
	scale      float64
	from, upTo int // its states, among those of the layer
	blocks.Flow
}

// norm is an RMS norm, or with a bias a LayerNorm.
type norm struct{ weight, bias []float32 } // [D], and [D] or nil

// weights are all parameters of a network.
type weights struct {
	embeddings table    // [V, D]
	head       weight   // [V, D], the embeddings when tied
	layers     [][]step // [L]
	normF      norm
	eps        float64
	width      []int // D: the whole of a row is normed
	scales     blocks.Scales
	embedding  bool // is hidden state 0
}

// bind takes every tensor of a checkpoint by its name. Matrices stay where they lie in the file.
func bind(ck *loader.Checkpoint, s *scratch, network [][]blocks.Step) (*weights, error) {
	b, cfg := loader.NewBinder(ck).Apart(), ck.Config()
	w := &weights{
		embeddings: newTable(b, names.Embedding),
		head:       matrix(b, names.Head),
		normF:      norm{vector(b, names.FinalNorm), optional(b, names.FinalNormBias, blocks.FinalBias(cfg))},
		eps:        cfg.Shared().LayerNormEpsilon,
		width:      []int{cfg.Shared().HiddenSize},
		scales:     blocks.ScalesOf(cfg),
		embedding:  blocks.EmbeddingShown(cfg),
	}
	for _, kinds := range network {
		var steps []step
		at := 0
		for i := range kinds {
			k := &kinds[i]
			n, layer := len(k.States(cfg)), b.Layer(k.Layer)
			before := norm{optional(layer, k.Norm, k.Norm != ""), optional(layer, k.Bias, k.Bias != "")}
			steps = append(steps, step{before, []int{len(before.weight)}, newBlock(k, layer.Under(k.Under), s), k.Scale, at, at + n, k.Flow})
			s.embedded, s.branched = s.embedded || k.Embedded, s.branched || k.ToBranch
			at += n
		}
		w.layers = append(w.layers, steps)
	}
	return w, b.Err()
}

// weight is a matrix of a block.
type weight struct {
	kernel.Matrix
	change *change  // by an adapter, nil: none
	names  []string // canonical, of the tensors whose rows it has
}

// matrix binds a two-dimensional weight, without copying it.
func matrix(b binder, name string) weight {
	t := b.Take(name)
	if b.Err() != nil {
		return weight{}
	}
	return weight{kernel.NewMatrix(t), newChange(b, name, t), []string{t.Name}}
}

// together binds two matrices as one if the rows of the second lie after those of the first, as in files of Hugging Face's that
// have them in one tensor.
func together(b binder, first, second string) (both weight, ok bool) {
	t, u := b.Take(first), b.Take(second)
	n := len(t.Data)
	if b.Err() != nil || b.Delta(first) != nil || b.Delta(second) != nil || t.DType != u.DType || len(u.Data) == 0 || cap(t.Data) <= n || &t.Data[:n+1][n] != &u.Data[0] {
		return weight{}, false
	}
	t.Data, t.Shape = t.Data[:n+len(u.Data)], []int{t.Shape[0] + u.Shape[0], t.Shape[1]}
	return weight{kernel.NewMatrix(t), nil, []string{t.Name, u.Name}}, true
}

// vector binds a small tensor as float32 values, in row-major order whatever its dimensions.
func vector(b binder, name string) []float32 {
	t, d := b.Take(name), b.Delta(name)
	if b.Err() != nil {
		return nil
	}
	if d == nil {
		return tensor.Float32s(t)
	}
	values := make([]float32, t.Elems())
	b.Fail(name, d.Widen(values, t, 0))
	return values
}

// optional is vector for a tensor that the configuration may do without; nil then.
func optional(b binder, name string, wanted bool) []float32 {
	if !wanted {
		return nil
	}
	return vector(b, name)
}
