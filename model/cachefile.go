package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/tensor"
)

// LoadCache reads the states of a batch of sequences from a dump, and the logits for the token that comes next where
// it holds them for one position ([B, 1, V], else nil). Errors name the tensor that is missing or does not fit the model.
func (m *Model) LoadCache(path string) (c *Cache, logits []float32, err error) {
	d, err := dump.Read(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	c = &Cache{Sequences: d.Batch()}
	if c.ConvStates, c.SSMStates, err = dump.States[float32](d); err != nil {
		return nil, nil, err
	}
	if err := CheckStates(m.cfg, d); err != nil {
		return nil, nil, err
	}
	if t, ok := d.Tensor(dump.Logits); ok && t.Shape[1] == 1 && t.Shape[2] == m.cfg.VocabSize {
		logits = dump.Values[float32](t)
	}
	return c, logits, d.Changed()
}

// SaveCache writes the states to a dump, and logits [B, 1, V] beside them unless nil. The file appears whole or not
// at all; a regular file of that name is replaced.
func (m *Model) SaveCache(path string, c *Cache, logits []float32) error {
	if err := c.check(m, c.Sequences); err != nil {
		return err
	}
	conv, ssm := StateShape(m.cfg, c.Sequences)
	entries := dump.StateEntries(tensor.F32, len(m.mixers), conv, ssm)
	if logits != nil {
		entries = append(entries, safetensors.Entry{
			Name: dump.Logits, DType: tensor.F32, Shape: []int{c.Sequences, 1, len(logits) / c.Sequences}})
	}
	w, err := dump.Create(path, entries, nil)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := dump.WriteStates(w, c.ConvStates, c.SSMStates); err != nil {
		return err
	}
	if logits != nil {
		if err := dump.Write(w, dump.Logits, 0, logits); err != nil {
			return err
		}
	}
	return w.Commit()
}

// CheckStates reports states in a dump that are not those of a model of this configuration, by number or shape.
func CheckStates(cfg *config.MambaConfig, d *dump.Dump) error {
	conv, ssm, err := d.Cache()
	if err != nil {
		return err
	}
	if len(conv) != cfg.NumHiddenLayers {
		return &badfile.FormatError{File: d.Path(), Where: "cache",
			Detail: fmt.Sprintf("found states of %d layers, the model has %d: made with another model?", len(conv), cfg.NumHiddenLayers)}
	}
	wantConv, wantSSM := StateShape(cfg, d.Batch())
	for l := range conv {
		for _, s := range []struct {
			t    tensor.Tensor
			want []int
		}{{conv[l], wantConv}, {ssm[l], wantSSM}} {
			if !slices.Equal(s.t.Shape, s.want) {
				return &badfile.FormatError{File: d.Path(), Where: "tensor " + badfile.Quote(s.t.Name),
					Detail: fmt.Sprintf("found shape %v, the model has %v: made with another model?", s.t.Shape, s.want)}
			}
		}
	}
	return nil
}
