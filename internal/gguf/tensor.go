package gguf

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// Tensor is a tensor as it is stored.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int  // in PyTorch's order, last dimension contiguous; empty for a scalar. llama.cpp's own writer drops leading ones
	Data  []byte // Type.ByteCount(Shape) bytes; read-only, often a mapped file
	File  string // path of the file that holds it
}

// Elems returns the number of elements.
func (t Tensor) Elems() int {
	block, bytes := t.Type.Block()
	return len(t.Data) / bytes * block
}

// Weight returns the tensor as the program uses it, without a copy. It takes the dtypes of tensor.Floats; other types
// are a *badfile.UnsupportedError that names the tensor and its type.
func (t Tensor) Weight() (tensor.Tensor, error) {
	dt, ok := t.Type.DType()
	if ok && dt.Float() {
		return tensor.Tensor{Name: t.Name, DType: dt, Shape: t.Shape, Data: t.Data, File: t.File}, nil
	}
	what := "is of type %s, which llama.cpp uses while it computes and not in files"
	if ok {
		what = "holds integers of type %s; weights are floats or blocks of them"
	}
	return tensor.Tensor{}, &badfile.UnsupportedError{File: t.File, Where: badfile.Tensor(t.Name),
		Detail: fmt.Sprintf(what+"; convert the original checkpoint again", t.Type)}
}
