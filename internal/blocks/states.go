package blocks

import (
	"fmt"
	"slices"
)

// State is what a block keeps of every sequence under one name.
type State[F any] struct {
	Spec
	all  []F // [B, Shape...]
	size int // of one sequence
}

// Of returns the values of a sequence, in the order of Shape.
func (s *State[F]) Of(seq int) []F { return s.all[seq*s.size:][:s.size:s.size] }

// All returns the values of all sequences [B, Shape...].
func (s *State[F]) All() []F { return s.all }

// Set is what the layers of a network keep of some sequences: [L][] states, by layer.
type Set[F any] [][]State[F]

// New returns the states of sequences that have not begun: zeros.
func New[F any](specs [][]Spec, sequences int) Set[F] {
	return build(specs, func(_ int, s *Spec) []F { return make([]F, sequences*s.Size()) })
}

// build returns states with the values that fill gives.
func build[F any](specs [][]Spec, fill func(l int, s *Spec) []F) Set[F] {
	set := make(Set[F], len(specs))
	for l, layer := range specs {
		for i := range layer {
			set[l] = append(set[l], State[F]{Spec: layer[i], all: fill(l, &layer[i]), size: layer[i].Size()})
		}
	}
	return set
}

// Repeat returns copies of the states of n times the sequences.
func (set Set[F]) Repeat(n int) Set[F] {
	all := make(Set[F], len(set))
	for l, layer := range set {
		all[l] = slices.Clone(layer)
		for i := range layer {
			all[l][i].all = slices.Repeat(layer[i].all, n)
		}
	}
	return all
}

// Check reports states that are not those described, of a number of sequences.
func (set Set[F]) Check(specs [][]Spec, sequences int) error {
	if len(set) != len(specs) {
		return fmt.Errorf("the cache holds %d layers, the model %d", len(set), len(specs))
	}
	for l, layer := range specs {
		if len(set[l]) != len(layer) {
			return fmt.Errorf("layer %d of the cache holds %d states, the model has %d", l, len(set[l]), len(layer))
		}
		for i := range layer {
			have, want := &set[l][i], &layer[i]
			if have.Name != want.Name || !slices.Equal(have.Shape, want.Shape) || len(have.all) != sequences*have.size {
				return fmt.Errorf("layer %d of the cache holds %s %v, the model has %s %v", l, have.Name, have.Shape, want.Name, want.Shape)
			}
		}
	}
	return nil
}
