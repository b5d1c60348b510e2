package sharded

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// This file reads what DeepSpeed keeps beside the weights that train, and its universal form.

// folderWeights is where the universal form has the weights.
const folderWeights = "zero"

func isUniversal(names []string) bool {
	return slices.Contains(names, folderWeights) && hasEnding(names, endingModel)
}

// universal opens the file of each weight.
func (z *zero) universal(weights []weight) error {
	for _, w := range weights {
		if !filepath.IsLocal(w.name) || strings.ContainsAny(w.name, `/\`) {
			return z.bad(w.name, "its name is not that of a folder in %s, where its file belongs", folderWeights)
		}
		path := filepath.Join(folderWeights, w.name, "fp32.pt")
		tree, err := z.tree(path)
		if errors.Is(err, fs.ErrNotExist) {
			return z.bad(w.name, "its file %s is missing; copy the whole folder again", badfile.Quote(path))
		}
		if err != nil {
			return err
		}
		value := tree.Root()
		if value.IsDict() {
			value = value.Get("param")
		}
		t, err := value.Tensor(w.name)
		if err != nil {
			return err
		}
		if t.Elems() != w.elems { // of stage 3 it is a vector
			return &badfile.FormatError{File: t.File, Where: badfile.Tensor(w.name), Detail: fmt.Sprintf("is %s, expected %s", badfile.Shape(t.Shape), badfile.Shape(w.shape))}
		}
		t.Shape = w.shape
		if err := z.whole(t); err != nil {
			return err
		}
	}
	return nil
}

// whole adds a tensor that is in one piece.
func (z *zero) whole(t tensor.Tensor) error {
	return z.add(t, t.Shape, []tensor.Box{{Offset: make([]int, len(t.Shape)), Shape: t.Shape, Data: t.Data}})
}

// others adds the weights that do not train, the buffers, and the other names of tensors. In stages 1 and 2 they are in the state of
// the model, in the dtype of training.
func (z *zero) others() error {
	if err := z.shared(); err != nil {
		return err
	}
	module := z.model().Get("module")
	if !z.divided {
		return z.rest(module, func(name string) bool { return !z.seen[name] })
	}
	if err := z.frozen(); err != nil {
		return err
	}
	buffers := make(map[string]bool)
	for _, o := range z.model().Get("buffer_names").Items() {
		name, _ := o.Text()
		buffers[name] = true
	}
	return z.rest(module, func(name string) bool { return buffers[name] })
}

// rest adds tensors of the state of the model.
func (z *zero) rest(module torchbin.Object, wanted func(name string) bool) (err error) {
	module.Each(func(key, val torchbin.Object) bool {
		name, ok := key.Text()
		if !ok || !val.IsTensor() || !wanted(name) {
			return true
		}
		var t tensor.Tensor
		if t, err = val.Tensor(name); err == nil {
			err = z.whole(t)
		}
		return err == nil
	})
	return err
}

// frozen adds the weights that do not train, of which each process has a part.
func (z *zero) frozen() (err error) {
	var fragments []map[string]torchbin.Object
	for _, t := range z.models {
		fragments = append(fragments, t.Root().Get("frozen_param_fragments").ByName())
	}
	z.model().Get("frozen_param_shapes").Each(func(key, val torchbin.Object) bool {
		var w weight
		if w, err = z.weight(key, val); err != nil {
			return false
		}
		var p parts
		for rank, of := range fragments {
			var t tensor.Tensor
			if t, err = of[w.name].Tensor(w.name); err != nil {
				return false
			}
			if !t.DType.Plain() {
				err = z.bad(w.name, "is %s, expected a plain dtype", t.DType)
				return false
			}
			share := t.Elems()
			if err = p.add(t, 0, min(share, max(w.elems-rank*share, 0))); err != nil { // zeros follow
				return false
			}
		}
		err = z.put(w, p)
		return err == nil
	})
	return err
}

// shared adds tensors that are others under another name, such as a tied head.
func (z *zero) shared() (err error) {
	index := make(map[string]int, len(z.tensors))
	for i, t := range z.tensors {
		index[t.Name] = i
	}
	z.model().Get("shared_params").Each(func(key, val torchbin.Object) bool {
		alias, ok := key.Text()
		name, _ := val.Text()
		i, found := index[name]
		if !ok || !found {
			return true
		}
		t := z.tensors[i]
		t.Name = alias
		err = z.append(t)
		return err == nil
	})
	return err
}
