// Package reference is the oracle: Mamba by the textbook, generic over the floating-point type.
//
// It follows the equations and does nothing clever: one token after the other, plain sums in order, no fused step, no
// blocking. Every product is rounded before it is added, so all machines compute the same bits. Run in float64, it is the truth by
// which the fast network and other implementations are judged. Run in float32, it shows how far rounding alone can move a result.
//
// Sources: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", sections 3.2 to 3.4 and
// Algorithm 2; Zuo and others, "Falcon Mamba: The First Competitive Attention-free 7B Language Model", for the norms of
// dt, B and C; Dao and Gu, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through Structured State
// Space Duality", sections 2.1 and 7, for Mamba-2; for hybrids the papers that model/attention.go, mlp.go and experts.go name.
// What the papers leave open is as in transformers' models: softplus is the identity above 20, RMS norms
// have their epsilon under the root.
package reference

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// Output holds the results of a pass, with the shapes of model.Output.
type Output[F constraints.Float] struct {
	Logits       []F
	HiddenStates [][]F
}

// Forward runs the batch, starting from the state in cache, which it updates, with all arithmetic in type F. Weights are
// widened from what the checkpoint stores, exactly if F can hold them. It stops when ctx ends, even within a layer. After an
// error the cache must not be used.
func Forward[F constraints.Float](ctx context.Context, ck *loader.Checkpoint, b model.Batch, cache *Cache[F], want model.Want) (*Output[F], error) {
	return ForwardAs(ctx, ck, b, cache, want, Variant{})
}

// ForwardAs is Forward for a variant of the computation.
func ForwardAs[F constraints.Float](ctx context.Context, ck *loader.Checkpoint, b model.Batch, cache *Cache[F], want model.Want, as Variant) (*Output[F], error) {
	if err := ck.Hold(); err != nil {
		return nil, err
	}
	defer ck.Release()
	cfg := ck.Config().Shared()
	if err := ck.Check(); err != nil {
		return nil, err
	}
	if ctx == nil || cache == nil {
		return nil, errors.New("reference: the context or the cache is nil")
	}
	if err := b.Check(cfg.VocabSize); err != nil {
		return nil, err
	}
	if cache.Sequences != b.Sequences || cache.Layers() != cfg.NumHiddenLayers {
		return nil, fmt.Errorf("the cache holds %d sequences and %d layers, the batch %d and the model %d",
			cache.Sequences, cache.Layers(), b.Sequences, cfg.NumHiddenLayers)
	}
	bind := loader.NewBinder(ck).Wide()
	o := &oracle[F]{variant: as, family: ck.Config(), cfg: cfg, batch: b, rows: b.Sequences * b.Tokens, bind: bind, pool: parallel.NewPool(0), ctx: ctx}
	defer o.pool.Close()
	var out *Output[F]
	err := mmap.Guard(func() (err error) {
		out, err = o.run(ctx, bind, cache, want)
		return err
	})
	return out, err
}

// oracle is one pass. Arrays have a row for each sequence and position.
type oracle[F constraints.Float] struct {
	variant Variant
	family  config.Config
	cfg     *config.Common // of the family
	batch   model.Batch
	rows    int // B·T
	bind    binder
	pool    *parallel.Pool // threads only: no arithmetic comes from there
	ctx     context.Context
	layer   int // at work
}

// binder hands out tensors by name: a loader.Binder.
type binder interface {
	Take(name string) tensor.Tensor
	Err() error
}

// checkEvery is how many tokens of a product are computed between two looks at the context.
const checkEvery = 1 << 10

// stopped reports whether the results are wanted no more. Loops over many tokens end then, whatever they have computed.
func (o *oracle[F]) stopped() bool { return o.ctx.Err() != nil }

// block computes a block for the normed inputs u [B·T, D], moving its states on.
type block[F constraints.Float] func(b binder, u []F, states []blocks.State[F]) []F

// block returns the block of a step.
func (o *oracle[F]) block(step *blocks.Step) block[F] {
	switch step.Kind {
	case blocks.Mamba1, blocks.FalconMamba:
		return (&mamba1[F]{oracle: o, Mamba1Sizes: step.Mamba1}).mix
	case blocks.Mamba2:
		return (&mamba2[F]{oracle: o, Mamba2Sizes: step.Mamba2}).mix
	case blocks.Mamba3:
		return (&mamba3[F]{oracle: o, Mamba3Sizes: step.Mamba3}).mix
	case blocks.SelfAttention:
		return (&attention[F]{oracle: o, Attention: step.Attention}).mix
	case blocks.MHA:
		return (&mha[F]{attention[F]{o, step.Attention}, step.Around}).mix
	case blocks.GatedMLP:
		return (&gatedMLP[F]{o, step.MLP}).mix
	case blocks.MLP, blocks.SwiGLU:
		return (&mlp[F]{o, step.MLP}).mix
	case blocks.Zamba:
		return (&zamba[F]{oracle: o, Mamba1Sizes: step.Mamba1}).mix
	case blocks.Linear:
		return func(b binder, u []F, _ []blocks.State[F]) []F { return o.linear(b.Take("weight"), u, nil) }
	case blocks.MoE, blocks.SwiGLUMoE:
		return (&experts[F]{o, step.Experts}).mix
	}
	panic(fmt.Sprintf("reference: no block of kind %q", step.Kind))
}

func (o *oracle[F]) run(ctx context.Context, bind *loader.Binder, cache *Cache[F], want model.Want) (*Output[F], error) {
	network, err := blocks.Network(o.family, o.variant.DtFloor)
	if err != nil {
		return nil, err
	}
	D, scales := o.cfg.HiddenSize, blocks.ScalesOf(o.family)
	out := &Output[F]{}
	hidden := make([]F, o.rows*D)
	embeddings := o.bind.Take(names.Embedding)
	for row, id := range o.batch.IDs {
		if o.stopped() {
			break
		}
		copy(hidden[row*D:], o.values(slice(embeddings, int(id), D)))
	}
	for i := range hidden {
		hidden[i] *= F(scales.Embeddings)
	}
	o.narrow(hidden)
	embedded := append([]F(nil), hidden...)
	if want.HiddenStates && blocks.EmbeddingShown(o.family) {
		out.HiddenStates = append(out.HiddenStates, append([]F(nil), hidden...))
	}
	meter := progress.Start(ctx, "layers", o.cfg.NumHiddenLayers, 1)
	for l, steps := range network {
		o.layer = l
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o.runLayer(bind, steps, cache.states[l], hidden, embedded)
		if want.HiddenStates && len(out.HiddenStates) < len(network) {
			out.HiddenStates = append(out.HiddenStates, append([]F(nil), hidden...))
		}
		meter.Add(1)
	}
	final := o.finalNorm(hidden)
	if want.HiddenStates {
		out.HiddenStates = append(out.HiddenStates, final)
	}
	switch want.Logits {
	case model.LogitsAll:
		out.Logits = o.logits(final, scales)
	case model.LogitsLast:
		out.Logits = o.logits(o.lastTokens(final), scales)
	}
	return out, cmp.Or(ctx.Err(), o.bind.Err())
}

// runLayer adds the blocks of a layer to the residual stream.
func (o *oracle[F]) runLayer(bind *loader.Binder, steps []blocks.Step, states []blocks.State[F], hidden, embedded []F) {
	var branch, u []F
	for i := range steps {
		s := &steps[i]
		n, layer := len(s.States(o.family)), bind.Layer(s.Layer)
		if s.Norm != "" || s.FromBranch {
			u = o.read(s, hidden, embedded, branch)
			if s.Norm != "" {
				u = o.stepNorm(u, layer, s)
			}
			o.clearPadding(u, len(u)/o.rows)
		}
		out := o.block(s)(layer.Under(s.Under), u, states[:n])
		if states = states[n:]; s.ToBranch {
			branch = out
			continue
		}
		for i, v := range out {
			hidden[i] += narrowed(o, F(v*F(s.Scale)))
		}
		o.narrowState(hidden)
	}
}

// read returns a copy of what a step norms.
func (o *oracle[F]) read(s *blocks.Step, hidden, embedded, branch []F) []F {
	var x []F
	switch D := o.cfg.HiddenSize; {
	case s.Embedded:
		for row := range o.rows {
			x = append(append(x, hidden[row*D:][:D]...), embedded[row*D:][:D]...)
		}
	case s.FromBranch:
		x = append(x, branch...)
	case s.WithBranch:
		for i, v := range hidden {
			x = append(x, v+branch[i])
		}
		o.narrow(x)
	default:
		x = append(x, hidden...)
	}
	return x
}

// logits are those of rows of the final norm's output.
func (o *oracle[F]) logits(final []F, scales blocks.Scales) []F {
	y := o.linear(o.bind.Take(names.Head), final, nil)
	for i := range y {
		y[i] = y[i] * F(scales.Logits) / F(scales.Divisor)
	}
	return o.narrow(y)
}

func (o *oracle[F]) clearPadding(v []F, width int) {
	for seq := range o.batch.Sequences {
		from, to := o.batch.Real(seq)
		rows := v[seq*o.batch.Tokens*width:][:o.batch.Tokens*width]
		clear(rows[:from*width])
		clear(rows[to*width:])
	}
}

// lastTokens returns the rows of each sequence's last token.
func (o *oracle[F]) lastTokens(v []F) []F {
	D := o.cfg.HiddenSize
	var last []F
	for seq := range o.batch.Sequences {
		_, to := o.batch.Real(seq)
		last = append(last, v[(seq*o.batch.Tokens+to-1)*D:][:D]...)
	}
	return last
}
