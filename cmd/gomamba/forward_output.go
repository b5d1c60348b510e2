package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// forwardOutput is the file of --out, or nothing if that was not given.
type forwardOutput struct {
	w       *dump.Writer
	to      *destination
	entries []safetensors.Entry
}

// create starts the file of --out and writes the input to it. held are the tokens in the cache, once the batch is done, of
// each sequence, nil if no state grows.
func (f *forwardFlags) create(m *model.Model, b *model.Batch, want model.Want, dtype tensor.DType, held []int) (*forwardOutput, error) {
	if f.out == "" {
		return &forwardOutput{}, nil
	}
	cfg := m.Config().Shared()
	B, T := b.Sequences, b.Tokens
	entries := []safetensors.Entry{{Name: dump.InputIDs, DType: tensor.I64, Shape: []int{B, T}}}
	if b.Mask != nil {
		entries = append(entries, safetensors.Entry{Name: dump.AttentionMask, DType: tensor.I64, Shape: []int{B, T}})
	}
	switch want.Logits {
	case model.LogitsAll:
		entries = append(entries, safetensors.Entry{Name: dump.Logits, DType: dtype, Shape: []int{B, T, cfg.VocabSize}})
	case model.LogitsLast:
		entries = append(entries, safetensors.Entry{Name: dump.Logits, DType: dtype, Shape: []int{B, 1, cfg.VocabSize}})
	}
	if want.HiddenStates {
		for i := range cfg.NumHiddenLayers + 1 {
			entries = append(entries, safetensors.Entry{Name: dump.HiddenState(i), DType: dtype, Shape: []int{B, T, cfg.HiddenSize}})
		}
	}
	if f.cache {
		for l, layer := range model.StateShapes(m.Config(), B, slices.Max(append(held, 1))) {
			for _, s := range layer {
				entries = append(entries, safetensors.Entry{Name: dump.State(s.Name, l), DType: dtype, Shape: s.Shape})
			}
		}
		if held != nil {
			entries = append(entries, safetensors.Entry{Name: dump.CacheTokens, DType: tensor.I64, Shape: []int{B}})
		}
	}
	w, err := dump.Create(f.to.path, entries, nil)
	if err != nil {
		return nil, err
	}
	out := &forwardOutput{w: w, to: f.to, entries: entries}
	err = dump.Write(w, dump.InputIDs, 0, b.IDs)
	if err == nil && b.Mask != nil {
		err = dump.Write(w, dump.AttentionMask, 0, b.Mask)
	}
	if err != nil {
		out.abort()
		return nil, err
	}
	return out, nil
}

// writePart writes the results of one window.
func writePart(out *forwardOutput, b *model.Batch, p *model.Part, hidden, vocab int) error {
	if out.w == nil {
		return nil
	}
	if p.Width == 0 {
		return dump.Write(out.w, dump.Logits, 0, p.Logits)
	}
	for seq := range b.Sequences {
		at := seq*b.Tokens + p.Start
		for i, h := range p.Hidden {
			if err := dump.Write(out.w, dump.HiddenState(i), at*hidden, h[seq*p.Width*hidden:][:p.Width*hidden]); err != nil {
				return err
			}
		}
		if p.Logits != nil {
			if err := dump.Write(out.w, dump.Logits, at*vocab, p.Logits[seq*p.Width*vocab:][:p.Width*vocab]); err != nil {
				return err
			}
		}
	}
	return nil
}

// states are those of a cache of the network or the oracle.
type states[F float32 | float64] interface {
	Layers() int
	States(layer int) []model.State[F]
	Tokens() []int
}

// after returns the tokens that a cache will hold when it has seen the batch too.
func after(held []int, b *model.Batch) []int {
	held = slices.Clone(held)
	for seq := range held {
		from, to := b.Real(seq)
		held[seq] += to - from
	}
	return held
}

// writeStates writes the states of a cache.
func writeStates[F float32 | float64](w *dump.Writer, cache states[F]) error {
	for l := range cache.Layers() {
		for _, s := range cache.States(l) {
			if err := dump.Write(w, dump.State(s.Name, l), 0, s.Values); err != nil {
				return err
			}
		}
	}
	for seq, n := range cache.Tokens() {
		if err := dump.Write(w, dump.CacheTokens, seq, []int64{int64(n)}); err != nil {
			return err
		}
	}
	return nil
}

func (o *forwardOutput) abort() {
	if o.w != nil {
		o.w.Abort()
	}
}

// commit puts the file in its place and says what it holds.
func (o *forwardOutput) commit(cmd *cobra.Command) error {
	if o.w == nil {
		return context.Cause(cmd.Context())
	}
	if err := o.w.Commit(); err != nil {
		return err
	}
	if err := o.to.deliver(); err != nil {
		return err
	}
	var parts []string
	for _, e := range o.entries {
		if e.Name == dump.Logits || e.Name == dump.InputIDs {
			parts = append(parts, fmt.Sprintf("%s %s %v", e.Name, e.DType, e.Shape))
		}
	}
	_, err := fmt.Fprintf(results(cmd), "%s: %d tensors: %s\n", o.to.name, len(o.entries), strings.Join(parts, ", "))
	return err
}
