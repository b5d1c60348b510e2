package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/kernel"
)

// Cache is what a batch of sequences has left behind: all that a model knows of the tokens it has seen.
// Its size does not depend on their number. The slices are laid out as Hugging Face shapes the same states, so they
// can be read, compared and stored; conv states hold the last K inputs of the convolution, oldest first,
// zeros where the sequence was shorter.
//
// Beside them a cache remembers which tokens its sequences have seen, for the repeat penalty.
//
// A cache serves one forward pass at a time. Clone makes a fork.
type Cache struct {
	Sequences  int         // B
	ConvStates [][]float32 // for each layer [B, I, K], in Mamba-2 [B, C, K]
	SSMStates  [][]float32 // for each layer [B, I, N], in Mamba-2 [B, H, P, N]

	seen  []history // of each sequence; nil if nothing is known
	busy  atomic.Bool
	scans carries // of a model with Options.ParallelScan
}

// StateShape returns the shapes of one layer's conv and SSM states for B sequences: [B, I, K] and [B, I, N], or for
// Mamba-2 [B, C, K] and [B, H, P, N].
func StateShape(cfg config.Config, sequences int) (conv, ssm []int) {
	c := cfg.Shared()
	conv = []int{sequences, cfg.ConvChannels(), c.ConvKernel}
	if m, ok := cfg.(*config.Mamba2Config); ok {
		return conv, []int{sequences, m.NumHeads, m.HeadDim, c.StateSize}
	}
	return conv, []int{sequences, cfg.DInner(), c.StateSize}
}

const (
	maxSequences = 1 << 20                 // that go side by side
	maxMemory    = min(1<<34, math.MaxInt) // bytes of their states and logits, and of results that are returned whole
)

// CheckSequences reports a number of sequences that a cache cannot hold.
func CheckSequences(cfg config.Config, sequences int) error {
	if sequences < 1 || sequences > maxSequences {
		return fmt.Errorf("%d sequences: expected 1 to %d", sequences, maxSequences)
	}
	conv, ssm := stateSize(cfg, 1)
	each := 4 * ((conv+ssm)*cfg.Shared().NumHiddenLayers + cfg.Shared().VocabSize)
	if most := max(1, maxMemory/each); sequences > most {
		return fmt.Errorf("%d sequences have states and logits of %d bytes each: expected %d sequences at most; divide the batch", sequences, each, most)
	}
	return nil
}

// CheckResults reports results of a batch that are too many to be returned whole, with size bytes for each value.
func CheckResults(cfg config.Config, b *Batch, want Want, size int) error {
	c := cfg.Shared()
	each := 0
	if want.Logits == LogitsAll {
		each += size * c.VocabSize
	}
	if want.HiddenStates {
		each += size * c.HiddenSize * (c.NumHiddenLayers + 1)
	}
	if each > 0 && len(b.IDs) > maxMemory/each {
		return fmt.Errorf("%d tokens have results of %d bytes each, which are %d bytes in memory: expected %d tokens at most; take them in pieces",
			len(b.IDs), each, int64(len(b.IDs))*int64(each), maxMemory/each)
	}
	return nil
}

// NewCache returns the cache of sequences that have not begun: zeros throughout. Of a number that CheckSequences refuses
// it holds nothing, and every pass refuses it.
func (m *Model) NewCache(sequences int) *Cache {
	c := &Cache{Sequences: sequences}
	if CheckSequences(m.cfg, sequences) != nil {
		return c
	}
	conv, ssm := stateSize(m.cfg, sequences)
	for range m.mixers {
		c.ConvStates = append(c.ConvStates, make([]float32, conv))
		c.SSMStates = append(c.SSMStates, make([]float32, ssm))
	}
	return c
}

// stateSize returns the number of values that StateShape describes.
func stateSize(cfg config.Config, sequences int) (conv, ssm int) {
	c := cfg.Shared()
	return sequences * cfg.ConvChannels() * c.ConvKernel, sequences * cfg.DInner() * c.StateSize
}

// Clone returns an independent copy, from which a sequence may go on differently.
func (c *Cache) Clone() *Cache {
	fork := &Cache{Sequences: c.Sequences, scans: c.scans.repeat(1)}
	for l := range c.ConvStates {
		fork.ConvStates = append(fork.ConvStates, slices.Clone(c.ConvStates[l]))
		fork.SSMStates = append(fork.SSMStates, slices.Clone(c.SSMStates[l]))
	}
	for _, h := range c.seen {
		fork.seen = append(fork.seen, h.clone())
	}
	return fork
}

// Repeat returns the cache of n times the sequences, from which each may go on differently. With n below 1 it holds
// nothing, and every pass refuses it.
func (c *Cache) Repeat(n int) *Cache {
	if n < 1 {
		return &Cache{}
	}
	all := &Cache{Sequences: n * c.Sequences, scans: c.scans.repeat(n)}
	for l := range c.ConvStates {
		all.ConvStates = append(all.ConvStates, slices.Repeat(c.ConvStates[l], n))
		all.SSMStates = append(all.SSMStates, slices.Repeat(c.SSMStates[l], n))
	}
	if c.seen != nil {
		for i := range all.Sequences {
			all.seen = append(all.seen, c.seen[i%c.Sequences].clone())
		}
	}
	return all
}

// check reports a cache that does not belong to the model and batch at hand.
func (c *Cache) check(m *Model, sequences int) error {
	if c == nil {
		return errors.New("model: the cache is nil: NewCache makes one")
	}
	if err := CheckSequences(m.cfg, sequences); err != nil {
		return err
	}
	if c.Sequences != sequences {
		return fmt.Errorf("the cache holds %d sequences, the batch %d", c.Sequences, sequences)
	}
	if len(c.ConvStates) != len(m.mixers) || len(c.SSMStates) != len(m.mixers) {
		return fmt.Errorf("the cache holds %d layers, the model %d", len(c.ConvStates), len(m.mixers))
	}
	conv, ssm := stateSize(m.cfg, sequences)
	for l := range c.ConvStates {
		if len(c.ConvStates[l]) != conv || len(c.SSMStates[l]) != ssm {
			return fmt.Errorf("layer %d of the cache holds %d conv and %d SSM values, the model has %d and %d",
				l, len(c.ConvStates[l]), len(c.SSMStates[l]), conv, ssm)
		}
	}
	return nil
}

// layerState is the part of a cache that one mixer reads and moves on.
type layerState struct {
	conv []float32 // [B, C, K]
	ssm  []float32 // [B, I, N]
	scan []kernel.Carry
}

func (c *Cache) layer(l int) layerState {
	st := layerState{conv: c.ConvStates[l], ssm: c.SSMStates[l]}
	if c.scans != nil {
		st.scan = c.scans[l]
	}
	return st
}
