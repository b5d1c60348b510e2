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

// Entries announces the tensors in which states are written.
func Entries(specs [][]Spec, sequences int, dtype tensor.DType) (entries []safetensors.Entry) {
	for l, layer := range specs {
		for i := range layer {
			entries = append(entries, safetensors.Entry{Name: dump.State(layer[i].Name, l), DType: dtype, Shape: layer[i].Of(sequences)})
		}
	}
	return entries
}

// Write writes what Entries announces.
func Write[F float32 | float64](w *dump.Writer, set Set[F]) error {
	for l, layer := range set {
		for i := range layer {
			if err := dump.Write(w, dump.State(layer[i].Name, l), 0, layer[i].all); err != nil {
				return err
			}
		}
	}
	return nil
}

// Read returns copies of the states in a dump. Those that are missing or not as described are a *badfile.FormatError.
func Read[F float32 | float64](d *dump.Dump, specs [][]Spec) (Set[F], error) {
	if err := check(d, specs); err != nil {
		return nil, err
	}
	return build(specs, func(l int, s *Spec) []F {
		t, _ := d.Tensor(dump.State(s.Name, l))
		return dump.Values[F](t)
	}), nil
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
			if want := specs[l][i].Of(d.Batch()); !slices.Equal(t.Shape, want) {
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
