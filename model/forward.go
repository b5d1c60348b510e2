package model

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/progress"
)

// Logits says for which positions logits are computed.
type Logits int

// Logits are computed for no position, for the last token of each sequence, or for all positions.
const (
	LogitsNone Logits = iota
	LogitsLast
	LogitsAll
)

// Want says what a forward pass returns in addition to updating the cache.
type Want struct {
	Logits       Logits
	HiddenStates bool // of all layers, as output_hidden_states=True of transformers gives them
	// Inputs, unless nil, is called with what every matrix in a block is multiplied with, before the product: for one sequence and
	// window of positions after another. Padding is left out.
	Inputs func(Inputs)
}

// Inputs are rows that a matrix is multiplied with, one per token. They are valid until the function that receives them
// returns.
type Inputs struct {
	Weight     string // canonical name of the tensor, such as "backbone.layers.0.mixer.in_proj.weight"
	X          []float32
	Rows, Cols int
	Stride     int // row i is X[i*Stride:][:Cols]
}

// Part is a piece of the results of a forward pass: a window of positions, or the last logits. Its slices are valid until the
// function that receives it returns.
type Part struct {
	Start, Width int // positions Start to Start+Width of every sequence
	// Hidden [L+1][B, Width, D]: entry i < L is the residual stream after block i, of hybrids before block i; entry L is after the
	// final norm.
	Hidden [][]float32
	// Logits [B, Width, V] with LogitsAll; with LogitsLast [B, 1, V] in a part of its own with Width 0.
	Logits []float32
}

// Output holds the results of a forward pass.
type Output struct {
	Logits       []float32   // [B, T, V], or [B, 1, V] with LogitsLast
	HiddenStates [][]float32 // [L+1][B, T, D]
}

// maxLogits bounds the logits held at a time: 16 MiB.
const maxLogits = 1 << 22

// Forward runs the batch, starting from the state in cache, which it updates, and returns the results. Use Stream if they may
// be large. Errors are those of Stream.
func (m *Model) Forward(ctx context.Context, b Batch, cache *Cache, want Want) (*Output, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	if err := m.check(ctx, &b, cache, want); err != nil {
		return nil, err
	}
	if err := CheckResults(m.cfg, &b, want, 4); err != nil {
		return nil, err
	}
	out := &Output{}
	cfg := m.cfg.Shared()
	D, V, L := cfg.HiddenSize, cfg.VocabSize, cfg.NumHiddenLayers
	if want.HiddenStates {
		out.HiddenStates = make([][]float32, L+1)
		for i := range out.HiddenStates {
			out.HiddenStates[i] = make([]float32, len(b.IDs)*D)
		}
	}
	if want.Logits == LogitsAll {
		out.Logits = make([]float32, len(b.IDs)*V)
	}
	err := m.Stream(ctx, b, cache, want, func(p *Part) error {
		if p.Width == 0 {
			out.Logits = append([]float32(nil), p.Logits...)
			return nil
		}
		for seq := range b.Sequences {
			at := seq*b.Tokens + p.Start
			for i, h := range p.Hidden {
				copy(out.HiddenStates[i][at*D:], h[seq*p.Width*D:][:p.Width*D])
			}
			if p.Logits != nil {
				copy(out.Logits[at*V:], p.Logits[seq*p.Width*V:][:p.Width*V])
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Stream is Forward in constant memory: it works through the positions in windows and passes the results of each window to
// visit, in order. visit can be nil if only the cache is wanted.
//
// An error in the batch (an id outside the vocabulary, an empty prompt, a mask with gaps) or in the cache is reported before
// anything is computed. After any other error (ctx cancelled, visit failed, a file of the weights changed) the cache is
// somewhere inside the batch and must not be used.
func (m *Model) Stream(ctx context.Context, b Batch, cache *Cache, want Want, visit func(*Part) error) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	if err := m.check(ctx, &b, cache, want); err != nil {
		return err
	}
	if !cache.busy.CompareAndSwap(false, true) {
		return errors.New("model: the cache is in use by another pass: each needs one of its own")
	}
	defer cache.busy.Store(false)
	cache.readyScan(m)
	if visit == nil {
		visit = func(*Part) error { return nil }
	}
	p := m.spare.Get().(*pass)
	defer func() {
		p.ctx, p.batch, p.cache, p.want, p.visit, p.meter, p.c.inputs = nil, Batch{}, nil, Want{}, nil, nil, nil
		m.spare.Put(p)
	}()
	p.ctx, p.batch, p.cache, p.want, p.visit = ctx, b, cache, want, visit
	if err := mmap.Guard(p.guarded); err != nil {
		return err
	}
	cache.remember(&b)
	return nil
}

// check reports what is wrong with the arguments of a pass.
func (m *Model) check(ctx context.Context, b *Batch, cache *Cache, want Want) error {
	switch {
	case ctx == nil:
		return errors.New("model: the context is nil")
	case want.Logits < LogitsNone || want.Logits > LogitsAll:
		return fmt.Errorf("model: %v wanted, expected LogitsNone, LogitsLast or LogitsAll", want.Logits)
	}
	if err := b.Check(m.cfg.Shared().VocabSize); err != nil {
		return err
	}
	if err := cache.check(m, b.Sequences); err != nil {
		return err
	}
	tokens := cache.states.Held()
	for seq := range b.Sequences {
		from, to := b.Real(seq)
		tokens += to - from
	}
	return m.footprint.checkTokens(b.Sequences, int64(tokens))
}

// pass is one run over a batch. Its memory serves one after the other.
type pass struct {
	m       *Model
	c       *chunk
	guarded func() error // all

	ctx   context.Context
	batch Batch
	cache *Cache
	want  Want
	visit func(*Part) error

	meter  *progress.Meter
	part   Part
	last   []float32   // [B, D] the final norm's output at the last token of each sequence
	hidden [][]float32 // copies of the residual stream, [L+1][rows, D]
}

func (m *Model) newPass() *pass {
	p := &pass{m: m, c: m.newChunk()}
	p.guarded = p.all
	return p
}

// all works through the windows.
func (p *pass) all() error {
	b, c, common := &p.batch, p.c, p.m.cfg.Shared()
	atMost := chunkTokens
	if p.m.parallelScan {
		atMost = parallelTokens
	}
	width := chunkWidth(b.Tokens, b.Sequences, atMost)
	if p.want.Logits == LogitsAll {
		width = min(width, max(1, maxLogits/(common.VocabSize*b.Sequences)))
	}
	if n := b.Sequences * common.HiddenSize; p.want.Logits == LogitsLast {
		p.last = resized(p.last, n)
		clear(p.last)
	}
	c.inputs = p.want.Inputs
	p.meter = progress.Start(p.ctx, "tokens", b.Tokens, common.NumHiddenLayers)
	for start := 0; start < b.Tokens; start += width {
		n := min(width, b.Tokens-start)
		logitRows := 0
		if p.want.Logits == LogitsAll {
			logitRows = n * b.Sequences
		}
		c.moveTo(b, start, n, logitRows)
		if err := p.chunk(); err != nil {
			return err
		}
	}
	if p.want.Logits != LogitsLast {
		return nil
	}
	c.resize(0, b.Sequences)
	c.predict(p.last, b.Sequences)
	p.part = Part{Start: b.Tokens, Logits: c.logits}
	return p.visit(&p.part)
}

// chunk runs one window through all layers and hands its results out.
func (p *pass) chunk() error {
	m, c, w := p.m, p.c, p.m.weights
	D := m.cfg.Shared().HiddenSize
	for row := range c.rows {
		id := p.batch.IDs[row/c.width*p.batch.Tokens+c.start+row%c.width]
		w.embeddings.Row(c.hidden[row*D:][:D], int(id))
	}
	kernel.Scale(c.hidden, w.scales.Embeddings)
	copy(c.embedded, c.hidden)
	p.part = Part{Start: c.start, Width: c.width, Hidden: p.part.Hidden[:0]}
	if w.embedding {
		p.keep()
	}
	for l := range w.layers {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		m.layer(c, l, p.cache)
		p.meter.Add(c.width)
		if !w.embedding || l+1 < len(w.layers) {
			p.keep()
		}
	}
	if p.want.Logits == LogitsNone && !p.want.HiddenStates {
		return p.visit(&p.part)
	}
	m.norm(c, c.hidden, w.normF, w.width)
	if p.want.HiddenStates {
		p.part.Hidden = append(p.part.Hidden, c.u)
	}
	switch p.want.Logits {
	case LogitsAll:
		c.predict(c.u, c.rows)
		p.part.Logits = c.logits
	case LogitsLast:
		p.keepLast()
	}
	return p.visit(&p.part)
}

// keep adds a copy of the residual stream, which the next block changes, to the hidden states if they are wanted.
func (p *pass) keep() {
	if !p.want.HiddenStates {
		return
	}
	i := len(p.part.Hidden)
	if i == len(p.hidden) {
		p.hidden = append(p.hidden, nil)
	}
	p.hidden[i] = append(p.hidden[i][:0], p.c.hidden...)
	p.part.Hidden = append(p.part.Hidden, p.hidden[i])
}

// keepLast remembers the final norm's output at the last token of each sequence that ends in the chunk.
func (p *pass) keepLast() {
	D := p.m.cfg.Shared().HiddenSize
	for _, row := range p.c.spans {
		end := row.from + row.tokens - 1
		copy(p.last[row.seq*D:][:D], p.c.u[end*D:])
	}
}

// String names the choice as the command line spells it.
func (l Logits) String() string {
	switch l {
	case LogitsNone:
		return "none"
	case LogitsLast:
		return "last"
	case LogitsAll:
		return "all"
	}
	return fmt.Sprintf("Logits(%d)", int(l))
}
