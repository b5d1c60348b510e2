package model

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blocks"
)

// Cache holds the recurrent state of a batch of sequences, that is, everything that a model remembers of the tokens it has
// seen. The states of Mamba blocks have a fixed size; keys and values of attention grow with the number of tokens. States
// returns the values in the shapes that Hugging Face uses, so that they can be read, compared and stored.
//
// A cache also remembers which tokens its sequences have seen, for the repeat penalty.
//
// A cache serves one forward pass at a time. Clone makes a copy that can continue differently.
type Cache struct {
	Sequences int // B

	states blocks.Set[float32]
	seen   []history // of each sequence; nil if nothing is known
	busy   atomic.Bool
	scans  carries // of a model with Options.ParallelScan
}

// StateShape describes one state that a layer keeps for some sequences.
type StateShape struct {
	// Name is that of transformers: "conv_states", the last K inputs of the convolution, oldest first, zeros where a sequence
	// was shorter; "ssm_states", what the scan carries along; "key_states" and "value_states" of attention.
	Name string
	// Shape is [B, I, K] of conv states, in Mamba-2 [B, C, K], and [B, I, N] of SSM states, in Mamba-2 [B, H, P, N]; of keys and
	// values [B, heads, T, width], T the tokens of the longest sequence, with zeros before the shorter ones.
	Shape []int
}

// State is one state of a layer.
type State[F any] struct {
	StateShape
	Values []F // row by row
}

// StateShapes returns the shapes of the states that each layer keeps for a number of sequences, in the order in which the layer
// updates them. For states that grow with the context, tokens is the number of tokens.
func StateShapes(cfg config.Config, sequences, tokens int) [][]StateShape {
	var all [][]StateShape
	for _, layer := range blocks.States(cfg) {
		var shapes []StateShape
		for i := range layer {
			shapes = append(shapes, StateShape{layer[i].Name, layer[i].Of(sequences, tokens)})
		}
		all = append(all, shapes)
	}
	return all
}

// Tokens returns how many tokens of each sequence the growing states hold; nil if no state grows.
func (c *Cache) Tokens() []int { return c.states.Lengths() }

// Layers returns the number of layers.
func (c *Cache) Layers() int { return len(c.states) }

// States returns the states of a layer, in the order of StateShapes. Their values belong to the cache, except for states that
// grow, which are copies.
func (c *Cache) States(layer int) []State[float32] {
	var all []State[float32]
	for i := range c.states[layer] {
		s := &c.states[layer][i]
		all = append(all, State[float32]{StateShape{s.Name, s.Spec.Of(c.Sequences, c.states.Longest())}, s.All()})
	}
	return all
}

const (
	maxSequences = 1 << 20                 // that go side by side
	maxMemory    = min(1<<34, math.MaxInt) // bytes of their states and logits, and of results that are returned whole
)

// CheckSequences reports an error if a cache cannot hold that many sequences, even before they have seen a token.
func CheckSequences(cfg config.Config, sequences int) error { return CheckContext(cfg, sequences, 0) }

// CheckContext reports an error if a cache cannot hold that many sequences of that many tokens each. Attention keeps keys and
// values for every token.
func CheckContext(cfg config.Config, sequences, tokens int) error {
	f := footprintOf(cfg, blocks.States(cfg))
	if err := f.checkSequences(sequences); err != nil {
		return err
	}
	return f.checkTokens(sequences, int64(sequences)*int64(min(tokens, maxMemory)))
}

// footprint is what sequences take of memory, in bytes.
type footprint struct {
	sequence int // the states of one that do not grow, and its logits
	token    int // of the states that grow, for each token of a sequence
}

func footprintOf(cfg config.Config, states [][]blocks.Spec) (f footprint) {
	f.sequence = 4 * cfg.Shared().VocabSize
	for _, layer := range states {
		for i := range layer {
			if size := 4 * layer[i].Size(); layer[i].Grows {
				f.token += size
			} else {
				f.sequence += size
			}
		}
	}
	return f
}

// checkSequences reports a number of sequences that a cache cannot hold, each with a token.
func (f footprint) checkSequences(sequences int) error {
	if sequences < 1 || sequences > maxSequences {
		return fmt.Errorf("%d sequences: expected 1 to %d", sequences, maxSequences)
	}
	each := f.sequence + f.token
	if most := max(1, maxMemory/each); sequences > most {
		return fmt.Errorf("%d sequences have states and logits of %d bytes each: expected %d sequences at most; divide the batch", sequences, each, most)
	}
	return nil
}

// checkTokens reports tokens, of all sequences together, whose keys and values a cache cannot hold.
func (f footprint) checkTokens(sequences int, tokens int64) error {
	if f.token == 0 {
		return nil
	}
	if most := (maxMemory - f.sequence*sequences) / f.token; tokens > int64(most) {
		return fmt.Errorf("%d tokens in all have keys and values of %d bytes each, which are %d bytes in memory: expected %d tokens at most",
			tokens, f.token, tokens*int64(f.token), max(most, 0))
	}
	return nil
}

// CheckResults reports an error if the results of a batch are too large to be returned at once. size is the number of bytes per
// value.
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

// NewCache returns a cache for sequences that have not begun; all states are zero. If CheckSequences refuses the number, the
// cache is empty and every pass refuses it.
func (m *Model) NewCache(sequences int) *Cache {
	c := &Cache{Sequences: sequences}
	if m.footprint.checkSequences(sequences) == nil {
		c.states = blocks.New[float32](m.states, sequences)
	}
	return c
}

// Clone returns an independent copy, which can continue differently.
func (c *Cache) Clone() *Cache { return c.Repeat(1) }

// Repeat returns a cache with n copies of the sequences, each of which can continue differently. If n is below 1, the cache is
// empty and every pass refuses it.
func (c *Cache) Repeat(n int) *Cache {
	if n < 1 {
		return &Cache{}
	}
	all := &Cache{Sequences: n * c.Sequences, states: c.states.Repeat(n), scans: c.scans.repeat(n)}
	if c.seen != nil {
		for i := range all.Sequences {
			all.seen = append(all.seen, c.seen[i%c.Sequences].clone())
		}
	}
	return all
}

// check reports a cache that does not belong to the model and batch.
func (c *Cache) check(m *Model, sequences int) error {
	if c == nil {
		return errors.New("model: the cache is nil: NewCache makes one")
	}
	if err := m.footprint.checkSequences(sequences); err != nil {
		return err
	}
	if c.Sequences != sequences {
		return fmt.Errorf("the cache holds %d sequences, the batch %d", c.Sequences, sequences)
	}
	return c.states.Check(m.states, sequences)
}
