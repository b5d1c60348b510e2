package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Generator continues one sequence, token by token. It owns the cache that it was given.
type Generator struct {
	m       *Model
	cache   *Cache
	sampler *sampler
	logits  []float32 // for the next token; nil before the first Feed
	pending []int64   // drawn, but not yet run through the network
}

// NewGenerator starts from a cache of one sequence; nil stands for one that has not begun.
func (m *Model) NewGenerator(cache *Cache, how Sampling) (*Generator, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	if err := how.check(); err != nil {
		return nil, err
	}
	if cache == nil {
		cache = m.NewCache(1)
	}
	if err := cache.check(m, 1); err != nil {
		return nil, err
	}
	return &Generator{m: m, cache: cache, sampler: newSampler(how, m.cfg.Shared().VocabSize)}, nil
}

// Feed runs tokens that are given, such as a prompt.
func (g *Generator) Feed(ctx context.Context, ids []int64) error {
	if err := g.usable(); err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.New("the prompt is empty: generation needs at least one token to start from")
	}
	ids, g.pending = append(g.pending, ids...), nil
	return g.run(ctx, ids)
}

// Resume sets the logits for the next token, as kept beside a cache, so that generation goes on without a prompt.
func (g *Generator) Resume(logits []float32) error {
	if err := g.usable(); err != nil {
		return err
	}
	if len(logits) != g.m.cfg.Shared().VocabSize {
		return fmt.Errorf("%d logits to resume from, the vocabulary has %d", len(logits), g.m.cfg.Shared().VocabSize)
	}
	g.logits = slices.Clone(logits)
	return nil
}

// Restart goes on from another cache, nil for one that has not begun, with the logits for its next token, nil where a
// prompt comes first. The cache is the generator's from now on, and the tokens that it has seen are those that count for
// the repeat penalty; draws go on in their sequence.
func (g *Generator) Restart(cache *Cache, logits []float32) error {
	if err := g.usable(); err != nil {
		return err
	}
	if cache == nil {
		cache = g.m.NewCache(1)
	}
	if err := cache.check(g.m, 1); err != nil {
		return err
	}
	g.cache, g.logits, g.pending = cache, nil, nil
	if logits == nil {
		return nil
	}
	return g.Resume(logits)
}

// Next draws the next token; a *NonFiniteError says that the logits are no numbers. The network runs it only when it is needed: on the next call, or on State.
func (g *Generator) Next(ctx context.Context) (int64, error) {
	if err := g.usable(); err != nil {
		return 0, err
	}
	if err := g.settle(ctx); err != nil {
		return 0, err
	}
	if g.logits == nil {
		return 0, errors.New("nothing to continue: feed a prompt first")
	}
	id, err := g.sampler.next(g.logits, g.cache.history(0))
	if bad, ok := errors.AsType[*NonFiniteError](err); ok {
		bad.Where = g.cache.NonFinite()
	}
	if err != nil {
		return 0, err
	}
	g.pending = append(g.pending, id)
	return id, nil
}

// State returns the cache after every token fed and drawn, and the logits for the one that would follow [V].
// Both belong to the generator.
func (g *Generator) State(ctx context.Context) (*Cache, []float32, error) {
	if err := g.usable(); err != nil {
		return nil, nil, err
	}
	if err := g.settle(ctx); err != nil {
		return nil, nil, err
	}
	return g.cache, g.logits, nil
}

// settle runs what was drawn last.
func (g *Generator) settle(ctx context.Context) error {
	if len(g.pending) == 0 {
		return nil
	}
	ids := g.pending
	g.pending = nil
	return g.run(ctx, ids)
}

func (g *Generator) run(ctx context.Context, ids []int64) error {
	return g.m.Stream(ctx, Single(ids), g.cache, Want{Logits: LogitsLast}, func(p *Part) error {
		if p.Logits != nil {
			g.logits = append(g.logits[:0], p.Logits...)
		}
		return nil
	})
}

// usable reports generators that are nil, or whose model is closed.
func (g *Generator) usable() error {
	if g == nil {
		return errors.New("model: the generator is nil")
	}
	return g.m.usable()
}
