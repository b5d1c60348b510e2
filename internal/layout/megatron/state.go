package megatron

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// state is a checkpoint with its parts joined, under Megatron's names.
type state struct {
	dir    string
	args   arguments
	stored []whole
	byName map[string]int // in stored
}

// whole is a tensor in pieces, which lie where they are stored.
type whole struct {
	name, file string
	dtype      tensor.DType
	shape      []int
	boxes      []tensor.Box
}

func (w *whole) bytes() int {
	n, _ := tensor.ByteCount(w.dtype, w.shape) // they lie in files
	return n
}

// add takes a tensor under a name that it does not have yet.
func (s *state) add(t whole) error {
	if _, twice := s.byName[t.name]; twice {
		return s.bad(t.name, "is there twice")
	}
	s.byName[t.name] = len(s.stored)
	s.stored = append(s.stored, t)
	return nil
}

// get returns the tensor of a name, or nil.
func (s *state) get(name string) *whole {
	if i, ok := s.byName[name]; ok {
		return &s.stored[i]
	}
	return nil
}

// join returns the pieces as a tensor under another name.
func (s *state) join(name string, t *whole) (tensor.Tensor, error) {
	x, err := tensor.Join(tensor.Tensor{Name: name, DType: t.dtype, Shape: t.shape, File: t.file}, t.shape, t.boxes)
	if err != nil {
		return x, s.bad(t.name, "%v", err)
	}
	return x, nil
}

// rows returns rows first to end, as a tensor of its own.
func (t *whole) rows(first, end int) *whole {
	part := *t
	part.shape, part.boxes = slices.Clone(t.shape), nil
	part.shape[0] = end - first
	for _, b := range t.boxes {
		lo, hi := max(first, b.Offset[0]), min(end, b.Offset[0]+b.Shape[0])
		if lo >= hi {
			continue
		}
		size := len(b.Data) / b.Shape[0]
		cut := tensor.Box{Offset: slices.Clone(b.Offset), Shape: slices.Clone(b.Shape), Data: b.Data[(lo-b.Offset[0])*size : (hi-b.Offset[0])*size]}
		cut.Offset[0], cut.Shape[0] = lo-first, hi-lo
		part.boxes = append(part.boxes, cut)
	}
	return &part
}

// stack puts tensors after each other along a dimension, of which they may have different numbers. They have the dtype of the first.
func stack(name string, dim int, list ...*whole) (*whole, error) {
	all := *list[0]
	all.name, all.shape, all.boxes = name, slices.Clone(all.shape), nil
	all.shape[dim] = 0
	for _, t := range list {
		if !sameBut(dim, t.shape, list[0].shape) || t.dtype != list[0].dtype {
			return nil, fmt.Errorf("its parts are %s %s and %s %s, which do not fit", list[0].dtype, badfile.Shape(list[0].shape), t.dtype, badfile.Shape(t.shape))
		}
		for _, b := range t.boxes {
			b.Offset = slices.Clone(b.Offset)
			b.Offset[dim] += all.shape[dim]
			all.boxes = append(all.boxes, b)
		}
		all.shape[dim] += t.shape[dim]
	}
	return &all, nil
}

// sameBut reports whether shapes differ in no other dimension than one, which they have.
func sameBut(dim int, a, b []int) bool {
	return len(a) == len(b) && dim < len(a) && slices.Equal(a[:dim], b[:dim]) && slices.Equal(a[dim+1:], b[dim+1:])
}

// arguments are those of the run: the attributes of an argparse.Namespace.
type arguments map[string]torchbin.Object

// argumentsOf reads a Namespace.
func argumentsOf(o torchbin.Object) (arguments, bool) {
	args := arguments{}
	o.State().Each(func(key, val torchbin.Object) bool {
		if name, ok := key.Text(); ok {
			args[name] = val
		}
		return true
	})
	return args, o.Class() == "Namespace"
}

// Has implements config.MegatronArgs.
func (a arguments) Has(name string) bool { return a[name].Found() }

// Int implements config.MegatronArgs.
func (a arguments) Int(name string) (int, bool) { return a[name].Int() }

// Float implements config.MegatronArgs.
func (a arguments) Float(name string) (float64, bool) { return a[name].Float() }

// Bool implements config.MegatronArgs.
func (a arguments) Bool(name string) (on, ok bool) { return a[name].Bool() }

// Text implements config.MegatronArgs.
func (a arguments) Text(name string) (string, bool) { return a[name].Text() }

// bad and unsupported make errors about a tensor, or about the whole without a name.
func (s *state) bad(name, format string, args ...any) error {
	return &badfile.FormatError{File: s.dir, Where: badfile.MaybeTensor(name), Detail: fmt.Sprintf(format, args...)}
}

func (s *state) unsupported(name, format string, args ...any) error {
	return &badfile.UnsupportedError{File: s.dir, Where: badfile.MaybeTensor(name), Detail: fmt.Sprintf(format, args...)}
}

// ofOthers reports whether a name is of what Transformer Engine keeps beside weights, such as scales of FP8.
func ofOthers(name string) bool { return strings.Contains(name, "_extra_state") }
