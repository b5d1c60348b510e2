// Package reference is the oracle: Mamba-1 by the textbook, generic over the floating-point type.
//
// It follows the equations and does nothing clever: one token after the other, plain sums in order, no fused step, no
// blocking. Run in float64 it is the truth that the fast network and other implementations are judged by; run in
// float32 it shows how far rounding alone may carry an implementation from that truth.
//
// Source: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", sections 3.2 to 3.4 and
// Algorithm 2. What the paper leaves open is as in transformers' models/mamba/modeling_mamba.py: softplus is the
// identity above 20, RMS norms have their epsilon under the root.
package reference

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// Output holds a pass's results, shaped as model.Output.
type Output[F constraints.Float] struct {
	Logits       []F
	HiddenStates [][]F
}

// Forward runs the batch from where the cache stands and moves the cache on, all in arithmetic of type F.
// Weights are widened from what the checkpoint stores, exactly where F can hold it.
func Forward[F constraints.Float](ctx context.Context, ck *loader.Checkpoint, b model.Batch, cache *Cache[F], want model.Want) (*Output[F], error) {
	cfg, ok := ck.Config().(*config.MambaConfig)
	if !ok {
		return nil, fmt.Errorf("%s: family %q has no reference", ck.Path(), ck.Config().Family())
	}
	if err := ck.Check(); err != nil {
		return nil, err
	}
	if err := b.Check(cfg.VocabSize); err != nil {
		return nil, err
	}
	if cache.Sequences != b.Sequences || len(cache.ConvStates) != cfg.NumHiddenLayers {
		return nil, fmt.Errorf("the cache holds %d sequences and %d layers, the batch %d and the model %d",
			cache.Sequences, len(cache.ConvStates), b.Sequences, cfg.NumHiddenLayers)
	}
	o := &oracle[F]{ck: ck, cfg: cfg, batch: b, rows: b.Sequences * b.Tokens, bind: loader.NewBinder(ck), pool: kernel.NewPool(0)}
	defer o.pool.Close()
	var out *Output[F]
	err := mmap.Guard(func() (err error) {
		out, err = o.run(ctx, cache, want)
		return err
	})
	return out, err
}

// oracle is one pass. Arrays have a row for each sequence and position.
type oracle[F constraints.Float] struct {
	ck    *loader.Checkpoint
	cfg   *config.MambaConfig
	batch model.Batch
	rows  int // B·T
	bind  *loader.Binder
	pool  *kernel.Pool // threads only: no arithmetic comes from there
}

func (o *oracle[F]) run(ctx context.Context, cache *Cache[F], want model.Want) (*Output[F], error) {
	D := o.cfg.HiddenSize
	out := &Output[F]{}
	hidden := make([]F, o.rows*D)
	embeddings := o.bind.Take("backbone.embeddings.weight")
	for row, id := range o.batch.IDs {
		copy(hidden[row*D:], o.values(slice(embeddings, int(id), D)))
	}
	for l := range o.cfg.NumHiddenLayers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		block := o.bind.Layer(l)
		u := o.norm(hidden, block.Take("norm.weight"))
		o.clearPadding(u, D)
		for i, v := range o.mixer(block.Under("mixer."), u, cache.ConvStates[l], cache.SSMStates[l]) {
			hidden[i] += v
		}
		if want.HiddenStates {
			out.HiddenStates = append(out.HiddenStates, append([]F(nil), hidden...))
		}
	}
	final := o.norm(hidden, o.bind.Take("backbone.norm_f.weight"))
	if want.HiddenStates {
		out.HiddenStates = append(out.HiddenStates, final)
	}
	switch want.Logits {
	case model.LogitsAll:
		out.Logits = o.linear(o.bind.Take("lm_head.weight"), final, nil)
	case model.LogitsLast:
		out.Logits = o.linear(o.bind.Take("lm_head.weight"), o.lastTokens(final), nil)
	}
	return out, o.bind.Err()
}

// mixer is Algorithm 2 inside the gated block of figure 3.             u [B·T, D] → [B·T, D]
func (o *oracle[F]) mixer(b *loader.Binder, u []F, conv, ssm []F) []F {
	I, N, R := o.cfg.DInner(), o.cfg.StateSize, o.cfg.TimeStepRank
	var inBias, outBias, convBias []F
	if o.cfg.UseBias {
		inBias, outBias = o.vector(b, "in_proj.bias"), o.vector(b, "out_proj.bias")
	}
	if o.cfg.UseConvBias {
		convBias = o.vector(b, "conv1d.bias")
	}
	xz := o.linear(b.Take("in_proj.weight"), u, inBias)                                           // [B·T, 2I]
	x := o.convolve(xz, conv, o.vector(b, "conv1d.weight"), convBias)                             // [B·T, I]
	dbc := o.linear(b.Take("x_proj.weight"), x, nil)                                              // [B·T, R+2N]
	dt := o.linear(b.Take("dt_proj.weight"), columns(dbc, R+2*N, R), o.vector(b, "dt_proj.bias")) // [B·T, I]
	for i, v := range dt {
		dt[i] = softplus(v)
	}
	A := o.vector(b, "A_log") // [I, N]
	for i, v := range A {
		A[i] = -exp(v)
	}
	skip := o.vector(b, "D") // [I]
	y := make([]F, o.rows*I)
	for seq := range o.batch.Sequences {
		from, to := o.batch.Real(seq)
		for t := from; t < to; t++ {
			row := seq*o.batch.Tokens + t
			B, C := dbc[row*(R+2*N)+R:][:N], dbc[row*(R+2*N)+R+N:][:N]
			for d := range I {
				h := ssm[(seq*I+d)*N:][:N]
				step, in := dt[row*I+d], x[row*I+d]
				var sum F
				for n := range N {
					h[n] = exp(step*A[d*N+n])*h[n] + step*B[n]*in
					sum += h[n] * C[n]
				}
				y[row*I+d] = (sum + skip[d]*in) * silu(xz[row*2*I+I+d])
			}
		}
	}
	return o.linear(b.Take("out_proj.weight"), y, outBias)
}

// convolve is the causal depthwise convolution with SiLU; state [B, I, K] holds the inputs before the first token.
func (o *oracle[F]) convolve(xz, state, weight, bias []F) []F {
	I, K := o.cfg.DInner(), o.cfg.ConvKernel
	out := make([]F, o.rows*I)
	for seq := range o.batch.Sequences {
		from, to := o.batch.Real(seq)
		for d := range I {
			window := state[(seq*I+d)*K:][:K]
			for t := from; t < to; t++ {
				row := seq*o.batch.Tokens + t
				copy(window, window[1:])
				window[K-1] = xz[row*2*I+d]
				var sum F
				for k := range K {
					sum += weight[d*K+k] * window[k]
				}
				if bias != nil {
					sum += bias[d]
				}
				out[row*I+d] = silu(sum)
			}
		}
	}
	return out
}

// linear returns x·wᵀ + bias for every row of x. Rows of w are shared out among the cores.
func (o *oracle[F]) linear(w tensor.Tensor, x, bias []F) []F {
	if o.bind.Err() != nil {
		return x
	}
	out, in := w.Shape[0], w.Shape[1]
	rows := len(x) / in
	y := make([]F, rows*out)
	o.pool.Run(out, 16, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			weight := o.values(slice(w, r, in))
			for t := range rows {
				y[t*out+r] = dot(weight, x[t*in:(t+1)*in])
				if bias != nil {
					y[t*out+r] += bias[r]
				}
			}
		}
	})
	return y
}

// norm returns the RMS norm of every row.
func (o *oracle[F]) norm(x []F, weight tensor.Tensor) []F {
	D := o.cfg.HiddenSize
	w := o.values(weight)
	y := make([]F, len(x))
	for row := range o.rows {
		var sum F
		for _, v := range x[row*D : (row+1)*D] {
			sum += v * v
		}
		scale := 1 / F(math.Sqrt(float64(sum/F(D)+F(o.cfg.LayerNormEpsilon))))
		for i := range D {
			y[row*D+i] = x[row*D+i] * scale * w[i]
		}
	}
	return y
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

func (o *oracle[F]) vector(b *loader.Binder, name string) []F { return o.values(b.Take(name)) }

// values returns a tensor's elements in type F.
func (o *oracle[F]) values(t tensor.Tensor) []F {
	if o.bind.Err() != nil {
		return nil
	}
	wide := make([]float64, t.Elems())
	tensor.WidenF64(wide, t.DType, t.Data)
	if same, ok := any(wide).([]F); ok {
		return same
	}
	v := make([]F, len(wide))
	for i, x := range wide {
		v[i] = F(x)
	}
	return v
}

// slice returns row r of a tensor [rows, width].
func slice(t tensor.Tensor, r, width int) tensor.Tensor {
	size := width * t.DType.Size()
	t.Data = t.Data[r*size : (r+1)*size]
	return t
}

// columns returns the first n columns of rows that are width wide.
func columns[F any](v []F, width, n int) []F {
	var out []F
	for ; len(v) > 0; v = v[width:] {
		out = append(out, v[:n]...)
	}
	return out
}

// dot is the sum of products, in order.
func dot[F constraints.Float](w, x []F) F {
	var sum F
	for i, v := range x {
		sum += w[i] * v
	}
	return sum
}

func exp[F constraints.Float](x F) F { return F(math.Exp(float64(x))) }

func silu[F constraints.Float](x F) F { return x / (1 + exp(-x)) }

func softplus[F constraints.Float](x F) F {
	if x > 20 {
		return x
	}
	return F(math.Log1p(float64(exp(x))))
}
