package blocks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// Entries announces the tensors in which states of sequences are written, which hold tokens of the longest if they grow.
func Entries(specs [][]Spec, sequences, tokens int, dtype tensor.DType) (entries []safetensors.Entry) {
	grow := false
	for l, layer := range specs {
		for i := range layer {
			entries = append(entries, safetensors.Entry{Name: dump.State(layer[i].Name, l), DType: dtype, Shape: layer[i].Of(sequences, tokens)})
			grow = grow || layer[i].Grows
		}
	}
	if grow {
		entries = append(entries, safetensors.Entry{Name: dump.CacheTokens, DType: tensor.I64, Shape: []int{sequences}})
	}
	return entries
}

// Write writes what Entries announces.
func Write[F float32 | float64](w *dump.Writer, set Set[F]) error {
	for l, layer := range set {
		for i := range layer {
			if err := dump.Write(w, dump.State(layer[i].Name, l), 0, layer[i].All()); err != nil {
				return err
			}
		}
	}
	for seq, n := range set.Lengths() {
		if err := dump.Write(w, dump.CacheTokens, seq, []int64{int64(n)}); err != nil {
			return err
		}
	}
	return nil
}

// Read returns copies of the states in a dump. Those that are missing or not as described are a *badfile.FormatError.
func Read[F float32 | float64](d *dump.Dump, specs [][]Spec) (Set[F], error) {
	if err := check(d, specs); err != nil {
		return nil, err
	}
	set := New[F](specs, d.Batch())
	for l, layer := range set {
		for i := range layer {
			t, _ := d.Tensor(dump.State(layer[i].Name, l))
			tokens, err := lengths(d, &layer[i].Spec, t)
			if err != nil {
				return nil, err
			}
			layer[i].fill(dump.Values[F](t), tokens)
		}
	}
	return set, nil
}

// lengths returns how many tokens of each sequence t holds, if it grows: those of dump.CacheTokens, or all.
func lengths(d *dump.Dump, s *Spec, t tensor.Tensor) ([]int, error) {
	if !s.Grows {
		return nil, nil
	}
	longest := t.Shape[2]
	tokens := slices.Repeat([]int{longest}, d.Batch())
	counts, ok := d.Tensor(dump.CacheTokens)
	if !ok {
		return tokens, nil
	}
	values, ok := tensor.Int64s(counts)
	if !ok || len(values) != len(tokens) {
		return nil, &badfile.FormatError{File: d.Path(), Where: "tensor " + badfile.Quote(dump.CacheTokens),
			Detail: fmt.Sprintf("found %s %v, expected I64 [%d]", counts.DType, counts.Shape, len(tokens))}
	}
	for seq, n := range values {
		if n < 0 || n > int64(longest) {
			return nil, &badfile.FormatError{File: d.Path(), Where: "tensor " + badfile.Quote(dump.CacheTokens),
				Detail: fmt.Sprintf("found %d tokens of sequence %d, expected 0 to %d", n, seq, longest)}
		}
		tokens[seq] = int(n)
	}
	return tokens, nil
}

func check(d *dump.Dump, specs [][]Spec) error {
	bad := func(where, format string, args ...any) error {
		return &badfile.FormatError{File: d.Path(), Where: where, Detail: fmt.Sprintf(format, args...)}
	}
	stateful := 0 // layers up to the last with a state
	for l := range specs {
		if len(specs[l]) > 0 {
			stateful = l + 1
		}
	}
	layers := d.Layers()
	if layers == 0 && stateful > 0 {
		return bad("", "found no cache: no %s", first(specs))
	}
	for l := range min(layers, stateful) {
		for i := range specs[l] {
			if name := dump.State(specs[l][i].Name, l); !d.Has(name) {
				return bad("tensor "+badfile.Quote(name), "missing from a cache whose blocks go up to %d", layers-1)
			}
		}
	}
	if layers != stateful {
		return bad("cache", "found states of %d layers, the model has %d: made with another model?", layers, stateful)
	}
	for l := range specs {
		for i := range specs[l] {
			t, _ := d.Tensor(dump.State(specs[l][i].Name, l))
			tokens := 0
			if len(t.Shape) == 4 {
				tokens = t.Shape[2]
			}
			if want := specs[l][i].Of(d.Batch(), tokens); !slices.Equal(t.Shape, want) {
				return bad("tensor "+badfile.Quote(t.Name), "found shape %v, the model has %v: made with another model?", t.Shape, want)
			}
		}
	}
	return nil
}

// first names the states of the first layer that has any.
func first(specs [][]Spec) string {
	for l, layer := range specs {
		var names []string
		for i := range layer {
			names = append(names, dump.State(layer[i].Name, l))
		}
		if names != nil {
			return strings.Join(names, " and ")
		}
	}
	return ""
}
