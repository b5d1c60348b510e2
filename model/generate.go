package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Generator continues one or several sequences token by token. It runs one token of each at a time, so that the weights are
// read once for all of them. Sequences can have different lengths without padding, and each gets the same tokens as by itself.
// A generator owns the cache that it was given.
type Generator struct {
	m        *Model
	cache    *Cache
	samplers []*sampler
	logits   []float32 // [B, V] for the next tokens
	ready    []bool    // of each sequence whether its logits are there
	pending  [][]int64 // of each sequence what is drawn, but not yet run through the network
}

// NewGenerator returns a Generator that continues the sequences of a cache, such as NewCache(n) for n new ones; nil stands for
// one new sequence. All sequences are sampled as how says, with the same seed.
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
	n := cache.Sequences
	if err := m.footprint.checkSequences(n); err != nil {
		return nil, err
	}
	if err := cache.check(m, n); err != nil {
		return nil, err
	}
	vocab := m.cfg.Shared().VocabSize
	g := &Generator{m: m, cache: cache, logits: make([]float32, n*vocab), ready: make([]bool, n), pending: make([][]int64, n)}
	for range n {
		g.samplers = append(g.samplers, newSampler(how, vocab))
	}
	return g, nil
}

// Feed runs given tokens, such as a prompt, for each sequence. They can have different lengths, but not all can be empty.
func (g *Generator) Feed(ctx context.Context, prompts ...[]int64) error {
	if err := g.usable(); err != nil {
		return err
	}
	if len(prompts) != len(g.pending) {
		return fmt.Errorf("%d prompts for %d sequences", len(prompts), len(g.pending))
	}
	if !slices.ContainsFunc(prompts, func(ids []int64) bool { return len(ids) > 0 }) {
		return errors.New("the prompt is empty: generation needs at least one token to start from")
	}
	for i, ids := range prompts {
		g.pending[i] = append(g.pending[i], ids...)
	}
	return g.settle(ctx)
}

// Resume sets the logits [B, V] for the next tokens, for example those stored with a cache, so that generation continues
// without a prompt.
func (g *Generator) Resume(logits []float32) error {
	if err := g.usable(); err != nil {
		return err
	}
	if len(logits) != len(g.logits) {
		return fmt.Errorf("%d logits to resume from, expected %d: the vocabulary has %d, and the sequences are %d",
			len(logits), len(g.logits), len(g.logits)/len(g.ready), len(g.ready))
	}
	copy(g.logits, logits)
	for i := range g.ready {
		g.ready[i] = true
	}
	return nil
}

// Restart continues from another cache, or from the beginning if cache is nil. logits are those for the next tokens, or nil if
// prompts follow. The generator owns the cache from now on, and the tokens that it has seen count for the repeat penalty.
// Random draws continue in sequence.
func (g *Generator) Restart(cache *Cache, logits []float32) error {
	if err := g.usable(); err != nil {
		return err
	}
	n := len(g.pending)
	if cache == nil {
		cache = g.m.NewCache(n)
	}
	if err := cache.check(g.m, n); err != nil {
		return err
	}
	g.cache = cache
	for i := range n {
		g.pending[i], g.ready[i] = nil, false
	}
	if logits == nil {
		return nil
	}
	return g.Resume(logits)
}

// Next draws the next token of a generator with one sequence. The error is a *NonFiniteError if a logit is not finite. The
// network only runs the token when it is needed: on the next call, or on State.
func (g *Generator) Next(ctx context.Context) (int64, error) {
	if err := g.usable(); err != nil {
		return 0, err
	}
	if n := len(g.pending); n != 1 {
		return 0, fmt.Errorf("model: Next is for one sequence, the generator has %d: use NextOf", n)
	}
	ids, err := g.NextOf(ctx, []bool{true})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// NextOf draws the next token of each sequence that is wanted, as Next does. For the others it returns -1 and does nothing.
func (g *Generator) NextOf(ctx context.Context, wanted []bool) ([]int64, error) {
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

// State returns the cache after every token that was fed or drawn, and the logits [B, V] for the next ones. logits is nil if a
// sequence has not seen a token. Both belong to the generator.
func (g *Generator) State(ctx context.Context) (*Cache, []float32, error) {
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

// Snapshot returns the state of generation after every token that was fed or drawn. Its cache and logits belong to the
// generator.
func (g *Generator) Snapshot(ctx context.Context) (*Snapshot, error) {
	cache, logits, err := g.State(ctx)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Cache: cache, Logits: logits}
	for _, each := range g.samplers {
		s.Random = append(s.Random, each.state())
	}
	return s, nil
}

// Restore continues from a snapshot with the same number of sequences. The generator owns its cache from now on.
func (g *Generator) Restore(s *Snapshot) error {
	if err := g.usable(); err != nil {
		return err
	}
	if err := s.check(g.m); err != nil {
		return err
	}
	if n := len(g.samplers); s.Cache.Sequences != n {
		return fmt.Errorf("model: the snapshot holds %d sequences, the generator has %d", s.Cache.Sequences, n)
	}
	if err := g.Restart(s.Cache, s.Logits); err != nil {
		return err
	}
	for i, r := range s.Random {
		g.samplers[i].goOn(r)
	}
	return nil
}

// settle runs what is pending.
func (g *Generator) settle(ctx context.Context) error {
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
func (g *Generator) batch(longest int) Batch {
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
func (g *Generator) usable() error {
	if g == nil {
		return errors.New("model: the generator is nil")
	}
	return g.m.usable()
}
