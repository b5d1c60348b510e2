package model

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/loader"
)

// weights are the parameters outside the mixers.
type weights struct {
	embeddings kernel.Matrix // [V, D]
	head       kernel.Matrix // [V, D], the embeddings when tied
	norms      [][]float32   // [L][D]
	normF      []float32     // [D]
	eps        float64
}

// bind takes every tensor of a Mamba-1 checkpoint by its name. Matrices stay where they lie in the file.
func bind(ck *loader.Checkpoint, cfg *config.MambaConfig) (*weights, []*mamba1, error) {
	b := loader.NewBinder(ck)
	w := &weights{
		embeddings: matrix(b, "backbone.embeddings.weight"),
		head:       matrix(b, "lm_head.weight"),
		normF:      vector(b, "backbone.norm_f.weight"),
		eps:        cfg.LayerNormEpsilon,
	}
	mixers := make([]*mamba1, cfg.NumHiddenLayers)
	for i := range mixers {
		block := b.Layer(i)
		w.norms = append(w.norms, vector(block, "norm.weight"))
		mixers[i] = newMamba1(block.Under("mixer."), cfg)
	}
	return w, mixers, b.Err()
}

// matrix binds a two-dimensional weight, without copying it.
func matrix(b *loader.Binder, name string) kernel.Matrix {
	t := b.Take(name)
	if b.Err() != nil {
		return kernel.Matrix{}
	}
	return kernel.NewMatrix(t)
}

// vector binds a small tensor as float32 values, in row-major order whatever its dimensions.
func vector(b *loader.Binder, name string) []float32 {
	t := b.Take(name)
	if b.Err() != nil {
		return nil
	}
	return tensor.Float32s(t)
}

// optional is vector for a tensor that the configuration may do without; nil then.
func optional(b *loader.Binder, name string, wanted bool) []float32 {
	if !wanted {
		return nil
	}
	return vector(b, name)
}
