package model

import (
	"math"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// attending is a model of one attention block, whose weights a file holds under a prefix.
type attending struct {
	unchanged
	file   *safetensors.File
	prefix string
	step   blocks.Step
	m      *Model
	block  block
}

func (a *attending) Take(name string) tensor.Tensor {
	t, _ := a.file.Tensor(a.prefix + name)
	return t
}

// unchanged is the part of a binder that hands out tensors as they are.
type unchanged struct{}

func (unchanged) Delta(string) *delta.Delta { return nil }

func (unchanged) Fail(string, error) {}

func (unchanged) Err() error { return nil }

func newAttending(t *testing.T, file *safetensors.File, prefix string, sizes *blocks.Attention, threads int) *attending {
	a := &attending{file: file, prefix: prefix, step: blocks.Step{Kind: blocks.SelfAttention, Attention: sizes}}
	width := a.Take("x").Shape[2]
	a.m = &Model{cfg: &config.MambaConfig{Common: config.Common{HiddenSize: width}}, pool: parallel.NewPool(threads)}
	t.Cleanup(a.m.pool.Close)
	a.block = newBlock(&a.step, a, &a.m.scratch)
	return a
}

// run runs inputs x [B, T, D], of which mask says what are tokens, window by window, and returns the outputs and the states.
func (a *attending) run(x []float32, b Batch, windows ...int) ([]float32, []blocks.State[float32]) {
	D := a.m.cfg.Shared().HiddenSize
	states := blocks.New[float32]([][]blocks.Spec{a.step.States(nil)}, b.Sequences)[0]
	out, c, start := make([]float32, len(x)), a.m.newChunk(), 0
	for _, n := range windows {
		c.moveTo(&b, start, n, 0)
		for seq := range b.Sequences {
			copy(c.u[seq*n*D:][:n*D], x[(seq*b.Tokens+start)*D:])
		}
		c.clearPadding(c.u, D)
		c.states = states
		a.block.forward(c)
		for seq := range b.Sequences {
			copy(out[(seq*b.Tokens+start)*D:], c.out[seq*n*D:][:n*D])
		}
		start += n
	}
	return out, states
}

// TestAttention holds attention to transformers' in float64 (fixtures/attention.py), and to its own bits: however a sequence
// is cut, beside another one, with padding, and on any number of threads.
func TestAttention(t *testing.T) {
	file, err := safetensors.Open("testdata/attention.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, sizes := range map[string]*blocks.Attention{
		"granite":   {Heads: 4, KeyHeads: 2, Dim: 8, Scale: 0.3, KeyScale: 1, Bias: true, OutBias: true},
		"falcon_h1": {Heads: 4, KeyHeads: 1, Dim: 16, Scale: 0.25, KeyScale: 0.4, Turned: 16, Theta: 10000},
		"bamba":     {Heads: 2, KeyHeads: 2, Dim: 16, Scale: 0.25, KeyScale: 1, Turned: 8, Theta: 10000},
	} {
		a := newAttending(t, file, name+".", sizes, 3)
		x, tokens := tensor.Float32s(a.Take("x")), a.Take("x").Shape[1]
		single := Single(make([]int64, tokens))
		whole, states := a.run(x, single, tokens)
		for what, pair := range map[string][2][]float32{
			"out":  {whole, tensor.Float32s(a.Take("out"))},
			"keys": {states[blocks.Keys].All(), tensor.Float32s(a.Take("keys"))},
		} {
			if r, err := numcheck.Compare(pair[0], pair[1], nil); err != nil || !(r.MaxRel <= 1e-6) {
				t.Errorf("%s, %s: %.3g of the largest value (%v)", name, what, r.MaxRel, err)
			}
		}
		check := func(what string, got []float32, seq int, state []blocks.State[float32]) {
			t.Helper()
			same := slices.EqualFunc(got, whole, func(p, q float32) bool { return math.Float32bits(p) == math.Float32bits(q) })
			for i := range states {
				same = same && slices.EqualFunc(state[i].Pages(seq), states[i].Pages(0), slices.Equal)
			}
			if !same {
				t.Errorf("%s, %s: other bits than whole", name, what)
			}
		}
		for what, windows := range map[string][]int{"two windows": {3, tokens - 3}, "token by token": slices.Repeat([]int{1}, tokens)} {
			got, state := a.run(x, single, windows...)
			check(what, got, 0, state)
		}
		got, state := newAttending(t, file, name+".", sizes, 1).run(x, single, tokens)
		check("one thread", got, 0, state)

		// Beside a sequence that is shorter, between padding on both sides.
		const left, right = 4, 2
		width, D := left+tokens+right, a.m.cfg.Shared().HiddenSize
		b := Batch{Sequences: 2, Tokens: width, IDs: make([]int64, 2*width), Mask: make([]int64, 2*width)}
		padded := slices.Repeat([]float32{7}, 2*width*D)
		copy(padded[left*D:], x)
		copy(padded[(width+9)*D:], x[:20*D])
		for i := range tokens {
			b.Mask[left+i] = 1
		}
		for i := range 20 {
			b.Mask[width+9+i] = 1
		}
		got, state = a.run(padded, b, 30, width-30)
		check("beside another", got[left*D:][:tokens*D], 0, state)
		if state[blocks.Keys].Tokens(1) != 20 || !slices.Equal(got[(width+9)*D:][:20*D], whole[:20*D]) {
			t.Errorf("%s: a short sequence beside a long one has other bits than alone", name)
		}
	}
}
