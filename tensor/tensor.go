package tensor

import (
	"fmt"
	"math/bits"
	"slices"
)

// Tensor is a named, shaped view of stored elements.
type Tensor struct {
	Name  string // as the file spells it
	DType DType
	Shape []int  // row-major, last dimension contiguous; empty for a scalar
	Data  []byte // little-endian, ByteCount(DType, Shape) bytes; read-only, often a mapped file
	File  string // path of the file that holds it

	// Coding stands in place of Data if the elements follow from several stored tensors, which is dtype Coded, or change as they
	// are read, which leaves the dtype as it is; else nil.
	Coding Coding
}

// Count returns the number of elements of a shape, 1 for an empty one.
// ok is false when a dimension is negative or the product, taken left to right, exceeds an int.
func Count(shape []int) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		hi, lo := bits.Mul(uint(n), uint(d))
		if hi != 0 || int(lo) < 0 {
			return 0, false
		}
		n = int(lo)
	}
	return n, true
}

// ByteCount returns the bytes that a tensor of this dtype and shape takes. ok is as for Count, and false when its elements
// are not a whole number of blocks, or for a quantized dtype when its rows are not. PyTorch pads rows of less than a byte an element.
func ByteCount(dt DType, shape []int) (n int, ok bool) {
	block, size := dt.Block()
	if last := len(shape) - 1; last >= 0 && shape[last] >= 0 && (dt == QUInt4x2 || dt == QUInt2x4) {
		shape = append(slices.Clone(shape[:last]), shape[last]/block+min(shape[last]%block, 1), block)
	}
	elems, ok := Count(shape)
	if !ok || elems%block != 0 || dt.Quantized() && (len(shape) == 0 || shape[len(shape)-1]%block != 0) {
		return 0, false
	}
	return Count([]int{elems / block, size})
}

// Elems returns the number of elements. It follows from the length of the data, or for a coded tensor from the shape.
func (t Tensor) Elems() int {
	if t.Coding != nil {
		n, _ := Count(t.Shape)
		return n
	}
	block, size := t.DType.Block()
	return len(t.Data) / size * block
}

// Piece returns elements first to end (exclusive) of t as a tensor of one dimension. It panics if they do not exist or, for a
// quantized dtype, if they are not whole blocks.
func (t Tensor) Piece(first, end int) Tensor {
	if j, ok := t.Coding.(joined); ok {
		if data, solid := j.solid(j.base+first, j.base+end); solid {
			t.Coding, t.Data, t.Shape = nil, data, []int{end - first}
			return t
		}
	}
	if t.Coding != nil {
		t.Coding, t.Shape = partOf(t.Coding, first), []int{end - first}
		return t
	}
	t.Data, t.Shape = t.Data[t.DType.Bytes(first):t.DType.Bytes(end)], []int{end - first}
	return t
}

// Float32s returns the elements of a float tensor as float32.
// An F32 tensor that lies aligned on a little-endian host is returned as a view of t.Data, without a copy:
// it must not be written to. Anything else is widened into a new slice as WidenF32 does.
// It panics when t.DType is not a float.
func Float32s(t Tensor) []float32 {
	t = t.Solid()
	if t.DType == F32 && t.Coding == nil {
		if v, ok := view[float32](t.Data); ok {
			return v
		}
	}
	dst := make([]float32, t.Elems())
	t.Widen32(dst)
	return dst
}

// Float64s returns the elements of a float tensor as float64: a read-only view of t.Data or a copy,
// as Float32s. It panics when t.DType is not a float.
func Float64s(t Tensor) []float64 {
	t = t.Solid()
	if t.DType == F64 && t.Coding == nil {
		if v, ok := view[float64](t.Data); ok {
			return v
		}
	}
	dst := make([]float64, t.Elems())
	t.Widen64(dst)
	return dst
}

// Of wraps values as a tensor named name. On a little-endian host Data is a view of v, which must not
// change while the tensor is in use. It panics when the shape does not have len(v) elements.
func Of[T Element](name string, v []T, shape ...int) Tensor {
	if n, ok := Count(shape); !ok || n != len(v) {
		panic(fmt.Sprintf("tensor: %d values for shape %v of %q", len(v), shape, name))
	}
	if shape == nil {
		shape = []int{}
	}
	return Tensor{Name: name, DType: dtypeOf[T](), Shape: shape, Data: Bytes(v)}
}
