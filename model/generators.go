package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Generators continues several sequences side by side, one token of each at a time, so that the weights are read once
// for all of them. Sequences have lengths of their own and no padding; each gets the tokens it gets alone.
// It owns the cache that it was given.
type Generators struct {
	m        *Model
	cache    *Cache
	samplers []*sampler
	logits   []float32 // [B, V] for the next tokens
	ready    []bool    // of each sequence whether its logits are there
	pending  [][]int64 // drawn, but not yet run through the network
}

// NewGenerators starts from a cache; nil stands for n sequences that have not begun. Every sequence is drawn by how, with
// the same seed.
func (m *Model) NewGenerators(n int, cache *Cache, how Sampling) (*Generators, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	if err := how.check(); err != nil {
		return nil, err
	}
	if err := CheckSequences(m.cfg, n); err != nil {
		return nil, err
	}
	if cache == nil {
		cache = m.NewCache(n)
	}
	if err := cache.check(m, n); err != nil {
		return nil, err
	}
	vocab := m.cfg.Shared().VocabSize
	g := &Generators{m: m, cache: cache, logits: make([]float32, n*vocab), ready: make([]bool, n), pending: make([][]int64, n)}
	for range n {
		g.samplers = append(g.samplers, newSampler(how, vocab))
	}
	return g, nil
}

// Feed runs tokens that are given, such as prompts [B][]: those of every sequence, of any length.
func (g *Generators) Feed(ctx context.Context, prompts [][]int64) error {
	if err := g.usable(); err != nil {
		return err
	}
	if len(prompts) != len(g.pending) {
		return fmt.Errorf("%d prompts for %d sequences", len(prompts), len(g.pending))
	}
	for i, ids := range prompts {
		g.pending[i] = append(g.pending[i], ids...)
	}
	return g.settle(ctx)
}

// Resume sets the logits [B, V] for the next tokens, as kept beside a cache, so that generation goes on without prompts.
func (g *Generators) Resume(logits []float32) error {
	if err := g.usable(); err != nil {
		return err
	}
	if len(logits) != len(g.logits) {
		return fmt.Errorf("%d logits to resume from, %d sequences and their vocabulary have %d", len(logits), len(g.ready), len(g.logits))
	}
	copy(g.logits, logits)
	for i := range g.ready {
		g.ready[i] = true
	}
	return nil
}

// Next draws the next token of each sequence that is wanted; for the others it returns -1 and does nothing.
// A *NonFiniteError says that the logits are no numbers.
func (g *Generators) Next(ctx context.Context, wanted []bool) ([]int64, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	if len(wanted) != len(g.ready) {
		return nil, fmt.Errorf("%d sequences wanted or not, there are %d", len(wanted), len(g.ready))
	}
	if err := g.settle(ctx); err != nil {
		return nil, err
	}
	ids := slices.Repeat([]int64{-1}, len(wanted))
	vocab := g.m.cfg.Shared().VocabSize
	for i, want := range wanted {
		if !want {
			continue
		}
		if !g.ready[i] {
			return nil, errors.New("nothing to continue: feed a prompt of at least one token first")
		}
		id, err := g.samplers[i].next(g.logits[i*vocab:][:vocab], g.cache.history(i))
		if bad, ok := errors.AsType[*NonFiniteError](err); ok {
			bad.Where = g.cache.NonFinite()
		}
		if err != nil {
			return nil, err
		}
		g.pending[i] = append(g.pending[i], id)
		ids[i] = id
	}
	return ids, nil
}

// State returns the cache after every token fed and drawn, and the logits [B, V] for those that would follow; logits are
// nil where a sequence has seen no token. Both belong to g.
func (g *Generators) State(ctx context.Context) (*Cache, []float32, error) {
	if err := g.usable(); err != nil {
		return nil, nil, err
	}
	if err := g.settle(ctx); err != nil {
		return nil, nil, err
	}
	if slices.Contains(g.ready, false) {
		return g.cache, nil, nil
	}
	return g.cache, g.logits, nil
}

// settle runs what is pending.
func (g *Generators) settle(ctx context.Context) error {
	longest := 0
	for _, ids := range g.pending {
		longest = max(longest, len(ids))
	}
	if longest == 0 {
		return nil
	}
	b := g.batch(longest)
	vocab := g.m.cfg.Shared().VocabSize
	err := g.m.Stream(ctx, b, g.cache, Want{Logits: LogitsLast}, func(p *Part) error {
		for i := range g.pending {
			if p.Logits != nil && len(g.pending[i]) > 0 {
				copy(g.logits[i*vocab:], p.Logits[i*vocab:][:vocab])
				g.ready[i] = true
			}
		}
		return nil
	})
	for i := range g.pending {
		g.pending[i] = g.pending[i][:0]
	}
	return err
}

// batch returns what is pending, padded on the right.
func (g *Generators) batch(longest int) Batch {
	if len(g.pending) == 1 {
		return Single(g.pending[0])
	}
	b := Batch{Sequences: len(g.pending), Tokens: longest, IDs: make([]int64, len(g.pending)*longest), Mask: make([]int64, len(g.pending)*longest)}
	for i, ids := range g.pending {
		copy(b.IDs[i*longest:], ids)
		for t := range ids {
			b.Mask[i*longest+t] = 1
		}
	}
	return b
}

// usable reports generators that are nil, or whose model is closed.
func (g *Generators) usable() error {
	if g == nil {
		return errors.New("model: the generator is nil")
	}
	return g.m.usable()
}
