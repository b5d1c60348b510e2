package reference

import (
	"errors"

	"golang.org/x/exp/constraints"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// Cache holds the states of a batch of sequences, shaped as model.Cache.
type Cache[F constraints.Float] struct {
	Sequences  int
	ConvStates [][]F // for each layer [B, I, K], in Mamba-2 [B, C, K]
	SSMStates  [][]F // for each layer [B, I, N], in Mamba-2 [B, H, P, N]
}

// NewCache returns the cache of sequences that have not begun.
func NewCache[F constraints.Float](cfg config.Config, sequences int) *Cache[F] {
	c := &Cache[F]{Sequences: sequences}
	shared := cfg.Shared()
	for range shared.NumHiddenLayers {
		c.ConvStates = append(c.ConvStates, make([]F, sequences*cfg.ConvChannels()*shared.ConvKernel))
		c.SSMStates = append(c.SSMStates, make([]F, sequences*cfg.DInner()*shared.StateSize))
	}
	return c
}

// LoadCache reads states from a dump, widened to float64 where they are narrower.
// Errors name the tensor that is missing or does not fit the configuration.
func LoadCache(cfg config.Config, path string) (c *Cache[float64], err error) {
	d, err := dump.Read(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := model.CheckStates(cfg, d); err != nil {
		return nil, err
	}
	c = &Cache[float64]{Sequences: d.Batch()}
	c.ConvStates, c.SSMStates, err = dump.States[float64](d)
	return c, err
}

// SaveCache writes the states to a dump as F64. The file appears whole or not at all.
func SaveCache(cfg config.Config, path string, c *Cache[float64]) error {
	conv, ssm := model.StateShape(cfg, c.Sequences)
	w, err := dump.Create(path, dump.StateEntries(tensor.F64, len(c.ConvStates), conv, ssm), nil)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := dump.WriteStates(w, c.ConvStates, c.SSMStates); err != nil {
		return err
	}
	return w.Commit()
}
