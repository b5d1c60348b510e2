package reference

import (
	"errors"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// Cache holds the states of a batch of sequences, with the shapes of model.Cache.
type Cache[F constraints.Float] struct {
	Sequences int
	states    blocks.Set[F]
}

// NewCache returns the cache of sequences that have not begun.
func NewCache[F constraints.Float](cfg config.Config, sequences int) *Cache[F] {
	return &Cache[F]{Sequences: sequences, states: blocks.New[F](blocks.States(cfg), sequences)}
}

// Tokens returns how many tokens of each sequence the growing states hold; nil if no state grows.
func (c *Cache[F]) Tokens() []int { return c.states.Lengths() }

// Layers returns the number of layers.
func (c *Cache[F]) Layers() int { return len(c.states) }

// States returns the states of a layer, as model.Cache does. Their values belong to the cache.
func (c *Cache[F]) States(layer int) []model.State[F] {
	var all []model.State[F]
	for i := range c.states[layer] {
		s := &c.states[layer][i]
		all = append(all, model.State[F]{StateShape: model.StateShape{Name: s.Name, Shape: s.Spec.Of(c.Sequences, c.states.Longest())}, Values: s.All()})
	}
	return all
}

// LoadCache reads states from a dump, widened to float64 where they are narrower.
// Errors name the tensor that is missing or does not fit the configuration.
func LoadCache(cfg config.Config, path string) (c *Cache[float64], err error) {
	d, err := dump.Read(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	c = &Cache[float64]{Sequences: d.Batch()}
	c.states, err = blocks.Read[float64](d, blocks.States(cfg))
	return c, err
}

// SaveCache writes the states to a dump as F64. The file appears whole or not at all.
func SaveCache(cfg config.Config, path string, c *Cache[float64]) error {
	w, err := dump.Create(path, blocks.Entries(blocks.States(cfg), c.Sequences, c.states.Longest(), tensor.F64), nil)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := blocks.Write(w, c.states); err != nil {
		return err
	}
	return w.Commit()
}
