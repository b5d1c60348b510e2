package gguf

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/tensor"
)

// Tensor is a tensor as it is stored.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int  // in PyTorch's order, last dimension contiguous; empty for a scalar. llama.cpp's own writer drops leading ones
	Data  []byte // Type.ByteCount(Shape) bytes; read-only, often a mapped file
	File  string // path of the file that holds it
}

// NE returns the dimensions in ggml's order, the contiguous one first: the reverse of Shape.
func (t Tensor) NE() []int {
	ne := slices.Clone(t.Shape)
	slices.Reverse(ne)
	return ne
}

// Elems returns the number of elements.
func (t Tensor) Elems() int {
	block, bytes := t.Type.Block()
	return len(t.Data) / bytes * block
}

// Plain returns a tensor of a plain type as it is, without a copy. ok is false for types that store blocks.
func (t Tensor) Plain() (p tensor.Tensor, ok bool) {
	dt, ok := t.Type.DType()
	if !ok {
		return tensor.Tensor{}, false
	}
	return tensor.Tensor{Name: t.Name, DType: dt, Shape: t.Shape, Data: t.Data, File: t.File}, true
}

// Usable returns nil when the tensor can serve as a weight, which takes F32, F16, BF16, F64 or Q8_0, and otherwise a
// *badfile.UnsupportedError that names the tensor and its type.
func (t Tensor) Usable() error {
	if t.Type == Q8_0 {
		return nil
	}
	dt, ok := t.Type.DType()
	if ok && dt.Float() {
		return nil
	}
	what := "is quantized to"
	if ok {
		what = "holds integers of type"
	}
	return &badfile.UnsupportedError{File: t.File, Where: "tensor " + badfile.Quote(t.Name),
		Detail: fmt.Sprintf("%s %s; weights can be F32, F16, BF16, F64 or Q8_0: take the original checkpoint or one of these", what, t.Type)}
}

// WidenF32 decodes len(dst) elements into dst, beginning with element first. All types but F64, which rounds, are
// exact. It fails as Usable does, and panics when the tensor has no such elements or, for Q8_0, they are not whole
// blocks of 32.
func (t Tensor) WidenF32(dst []float32, first int) error {
	if err := t.Usable(); err != nil {
		return err
	}
	block, size := t.Type.Block()
	if first%block != 0 || len(dst)%block != 0 {
		panic(fmt.Sprintf("gguf: elements %d to %d of %s are no whole blocks", first, first+len(dst), t.Type))
	}
	src := t.Data[first/block*size : (first+len(dst))/block*size]
	if dt, ok := t.Type.DType(); ok {
		tensor.WidenF32(dst, dt, src)
	} else {
		DequantizeQ8_0(dst, src)
	}
	return nil
}
