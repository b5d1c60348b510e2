package model

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// weights are the parameters outside the mixers.
type weights struct {
	embeddings kernel.Matrix // [V, D]
	head       kernel.Matrix // [V, D], the embeddings when tied
	norms      [][]float32   // [L][D]
	normF      []float32     // [D]
	eps        float64
	width      []int // D: the whole of a row is normed
}

// mixer is the part of a block that differs from family to family.
type mixer interface {
	// forward maps the normed inputs c.u [B·T, D] of a chunk to c.out [B·T, D], moving the states of the layer, c.state, on.
	// Padding reads as u = 0 and leaves the states alone.
	forward(c *chunk)
	// convolve and recur are the parts of forward that run over the channels lo to hi of one sequence.
	convolve(c *chunk, row span, lo, hi int)
	recur(c *chunk, row span, lo, hi int)
	// recurrence returns what recur runs: the scan of one sequence, its rows and its state.
	recurrence(c *chunk, row span) (kernel.Recurrence, kernel.ScanRows, []float32)
	// widths tells how much memory forward needs.
	widths() widths
}

// newMixer binds the mixer of one block.
func newMixer(b *loader.Binder, cfg config.Config) mixer {
	switch cfg := cfg.(type) {
	case *config.Mamba2Config:
		return newMamba2(b, cfg)
	case *config.FalconMambaConfig:
		return newFalcon(b, cfg)
	default:
		return newMamba1(b, config.Selective(cfg))
	}
}

// bind takes every tensor of a checkpoint by its name. Matrices stay where they lie in the file.
func bind(ck *loader.Checkpoint) (*weights, []mixer, error) {
	b, cfg := loader.NewBinder(ck), ck.Config().Shared()
	w := &weights{
		embeddings: matrix(b, names.Embedding),
		head:       matrix(b, names.Head),
		normF:      vector(b, names.FinalNorm),
		eps:        cfg.LayerNormEpsilon,
		width:      []int{cfg.HiddenSize},
	}
	mixers := make([]mixer, cfg.NumHiddenLayers)
	for i := range mixers {
		block := b.Layer(i)
		w.norms = append(w.norms, vector(block, "norm.weight"))
		mixers[i] = newMixer(block.Under("mixer."), ck.Config())
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
