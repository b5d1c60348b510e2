package model

import (
	"context"
	"fmt"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/mmap"
)

// Logits says at which positions logits are wanted.
type Logits int

// Logits may be had for no position, for the last token of each sequence, or for all positions.
const (
	LogitsNone Logits = iota
	LogitsLast
	LogitsAll
)

// Want says what a forward pass is to return beside the states it leaves in the cache.
type Want struct {
	Logits       Logits
	HiddenStates bool // of all layers, as output_hidden_states=True of transformers gives them
}

// Part is a piece of a forward pass's results: a window of positions, or the last logits.
// Its slices are valid until the function that receives it returns.
type Part struct {
	Start, Width int // positions Start to Start+Width of every sequence
	// Hidden [L+1][B, Width, D]: entry i < L is the residual stream after block i, entry L is after the final norm.
	Hidden [][]float32
	// Logits [B, Width, V] with LogitsAll; with LogitsLast [B, 1, V] in a part of its own with Width 0.
	Logits []float32
}

// Output is a forward pass's results, whole.
type Output struct {
	Logits       []float32   // [B, T, V], or [B, 1, V] with LogitsLast
	HiddenStates [][]float32 // [L+1][B, T, D]
}

// maxLogits bounds the logits held at a time: 16 MiB.
const maxLogits = 1 << 22

// Forward runs the batch from where the cache stands, moves the cache on, and returns the results in memory.
// Use Stream where they may be large. Errors are those of Stream.
func (m *Model) Forward(ctx context.Context, b Batch, cache *Cache, want Want) (*Output, error) {
	out := &Output{}
	D, V, L := m.cfg.HiddenSize, m.cfg.VocabSize, m.cfg.NumHiddenLayers
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

// Stream is Forward in constant memory: it works through the positions in windows and hands the results of each
// window to visit, in order. visit may be nil where only the cache is wanted.
//
// An error in the batch (an id outside the vocabulary, an empty prompt, a mask with gaps) or in the cache comes before
// anything is computed. After any other error (ctx cancelled, visit failed, the weights' file changed) the cache
// stands somewhere inside the batch and must not be used.
func (m *Model) Stream(ctx context.Context, b Batch, cache *Cache, want Want, visit func(*Part) error) error {
	if err := b.Check(m.cfg.VocabSize); err != nil {
		return err
	}
	if err := cache.check(m, b.Sequences); err != nil {
		return err
	}
	if visit == nil {
		visit = func(*Part) error { return nil }
	}
	s := m.spare.Get().(*scratch)
	defer m.spare.Put(s)
	r := &run{m: m, s: s, b: &b, cache: cache, want: want, visit: visit}
	return mmap.Guard(func() error { return r.all(ctx) })
}

// run is one pass over a batch.
type run struct {
	m     *Model
	s     *scratch
	b     *Batch
	cache *Cache
	want  Want
	visit func(*Part) error

	last   []float32   // [B, D] the final norm's output at the last token of each sequence
	hidden [][]float32 // copies of the residual stream, [L+1][rows, D]
}

func (r *run) all(ctx context.Context) error {
	width := max(1, chunkTokens/r.b.Sequences)
	if r.want.Logits == LogitsAll {
		width = min(width, max(1, maxLogits/(r.m.cfg.VocabSize*r.b.Sequences)))
	}
	if r.want.Logits == LogitsLast {
		r.last = make([]float32, r.b.Sequences*r.m.cfg.HiddenSize)
	}
	for start := 0; start < r.b.Tokens; start += width {
		c := r.m.newChunk(r.b, start, min(width, r.b.Tokens-start))
		if err := r.chunk(ctx, c); err != nil {
			return err
		}
	}
	if r.want.Logits != LogitsLast {
		return nil
	}
	r.s.resize(r.m, 0, r.b.Sequences)
	r.m.pool.MatMul(r.s.logits, &r.m.weights.head, r.last, r.m.cfg.HiddenSize, r.b.Sequences)
	return r.visit(&Part{Start: r.b.Tokens, Logits: r.s.logits})
}

// chunk runs one window through all layers and hands its results out.
func (r *run) chunk(ctx context.Context, c *chunk) error {
	m, s, w := r.m, r.s, r.m.weights
	logitRows := 0
	if r.want.Logits == LogitsAll {
		logitRows = c.rows
	}
	s.resize(m, c.rows, logitRows)
	D := m.cfg.HiddenSize
	for row := range c.rows {
		id := r.b.IDs[row/c.width*r.b.Tokens+c.start+row%c.width]
		w.embeddings.Row(s.hidden[row*D:][:D], int(id))
	}
	part := &Part{Start: c.start, Width: c.width}
	for l, mixer := range m.mixers {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.block(c, s, mixer, w.norms[l], r.cache.layer(l))
		if r.want.HiddenStates {
			part.Hidden = append(part.Hidden, r.keep(l, s.hidden))
		}
	}
	if r.want.Logits == LogitsNone && !r.want.HiddenStates {
		return r.visit(part)
	}
	m.norm(c, s.u, s.hidden, w.normF)
	if r.want.HiddenStates {
		part.Hidden = append(part.Hidden, s.u)
	}
	switch r.want.Logits {
	case LogitsAll:
		c.matMul(s.logits, &w.head, s.u, D, nil)
		part.Logits = s.logits
	case LogitsLast:
		r.keepLast(c)
	}
	return r.visit(part)
}

// keep returns a copy of the residual stream after layer l, which the next block changes.
func (r *run) keep(l int, hidden []float32) []float32 {
	if l == len(r.hidden) {
		r.hidden = append(r.hidden, nil)
	}
	r.hidden[l] = append(r.hidden[l][:0], hidden...)
	return r.hidden[l]
}

// keepLast remembers the final norm's output at the last token of each sequence that ends in the chunk.
func (r *run) keepLast(c *chunk) {
	D := r.m.cfg.HiddenSize
	for _, row := range c.spans {
		end := row.from + row.tokens - 1
		copy(r.last[row.seq*D:][:D], r.s.u[end*D:])
	}
}

// block adds one block to the residual stream: hidden += mixer(norm(hidden)).
func (m *Model) block(c *chunk, s *scratch, mixer *mamba1, norm []float32, st layerState) {
	m.norm(c, s.u, s.hidden, norm)
	c.clearPadding(s.u, m.cfg.HiddenSize)
	mixer.forward(c, s, st)
	kernel.Add(s.hidden, s.out)
}

// norm sets y to the RMS norm of each row of x.
func (m *Model) norm(c *chunk, y, x, weight []float32) {
	D := m.cfg.HiddenSize
	c.pool.Run(c.rows, 8, func(lo, hi int) {
		for row := lo; row < hi; row++ {
			kernel.RMSNorm(y[row*D:][:D], x[row*D:][:D], weight, m.weights.eps)
		}
	})
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
