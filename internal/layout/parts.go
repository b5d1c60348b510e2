package layout

import (
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// InFiles lists the tensors of a model of cfg as the layout's files have them, in the order of the name table.
func (l *Layout) InFiles(cfg config.Config) ([]names.Whole, error) {
	if l.Wholes != nil {
		return l.Wholes(cfg)
	}
	table, err := names.Table(cfg)
	return names.Singles(table), err
}

// Divisible lists by name the tensors that are made of several of the name table, in the files or in their place.
func (l *Layout) Divisible(cfg config.Config) (map[string]names.Whole, error) {
	divisible := make(map[string]names.Whole)
	for _, list := range []func(config.Config) ([]names.Whole, error){l.Wholes, l.Others} {
		if list == nil {
			continue
		}
		wholes, err := list(cfg)
		if err != nil {
			return nil, err
		}
		for _, w := range wholes {
			if len(w.Parts) > 1 {
				divisible[w.Name] = w
			}
		}
	}
	return divisible, nil
}

// Divide replaces tensors by their parts, which are views of the same bytes. Those of another shape than expected stay whole.
func Divide(tensors []tensor.Tensor, divisible map[string]names.Whole) []tensor.Tensor {
	if len(divisible) == 0 {
		return tensors
	}
	var divided []tensor.Tensor
	for _, t := range tensors {
		w, ok := divisible[t.Name]
		if !ok || !slices.Equal(t.Shape, w.Shape) {
			divided = append(divided, t)
			continue
		}
		first := 0
		for _, spec := range w.Parts {
			n, _ := tensor.Count(spec.Shape) // of a valid configuration
			part := t.Piece(first, first+n)
			part.Name, part.Shape = spec.Name, spec.Shape
			divided = append(divided, part)
			first += n
		}
	}
	return divided
}
