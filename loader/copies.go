package loader

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/tensor"
)

// twin is a tensor that several layers share, under the name of one that does not hold it.
type twin struct {
	tensor.Tensor
	index    int
	original string
}

// settleCopies looks at tensors that files have under the names of several layers, as those of PyTorch do. One stands in for an
// original that is missing; the others must be as their original. This reads both, unless they lie in one place.
func (x *examination) settleCopies() error {
	for _, c := range x.copies {
		i, ok := x.ck.found[c.original]
		spec := x.ck.spec[c.original]
		switch {
		case !slices.Equal(c.Shape, spec.Shape):
			spec.Name = c.Name
			x.misshape = append(x.misshape, shapeMismatch{c.Tensor, spec})
			continue
		case !c.DType.Float():
			x.mistyped = append(x.mistyped, c.Tensor)
			continue
		case !ok:
			x.ck.found[c.original] = c.index
			continue
		}
		first, equal := x.ck.tensors[i], false
		if !slices.Equal(first.Shape, c.Shape) || !first.DType.Float() {
			continue // an error already
		}
		if err := mmap.Guard(func() error { equal = oneStorage(first, c.Tensor) || equalValues(first, c.Tensor); return nil }); err != nil {
			return err
		}
		if !equal {
			x.add(fault{unsupported: true, file: c.File, where: badfile.Tensor(x.ck.StoredName(c.Name)), detail: fmt.Sprintf("differs from %s, with which it is one block; "+
				"transformers then takes the blocks apart: set tie_word_embeddings to false and store lm_head.weight to say so", badfile.Quote(x.ck.StoredName(c.original)))})
			return nil
		}
	}
	return nil
}

// oneStorage reports whether two tensors lie in one place.
func oneStorage(a, b tensor.Tensor) bool {
	return len(a.Data) > 0 && len(a.Data) == len(b.Data) && a.DType == b.DType && &a.Data[0] == &b.Data[0]
}
