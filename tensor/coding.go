package tensor

import "bytes"

// Coding computes the elements of a tensor from stored tensors, such as codes and scales. A tensor of dtype Coded has a Coding
// in place of Data, and so does a tensor of a plain dtype that is stored in parts (see Join). Its methods may be called from
// several goroutines.
type Coding interface {
	// String names it in the style of dtypes, such as "NVFP4" or "MLX-4".
	String() string
	// Parts returns all bytes that the elements follow from, which must not be changed.
	Parts() [][]byte
	// Widen sets dst to the elements from number first on, in row-major order: the float32 that the library whose coding it is
	// computes, if it computes in float32.
	Widen(dst []float32, first int)
}

// OfCoding returns a tensor of dtype Coded.
func OfCoding(name string, c Coding, shape []int, file string) Tensor {
	return Tensor{Name: name, DType: Coded, Shape: shape, Coding: c, File: file}
}

// part is what is left of a coded tensor from an element on.
type part struct {
	Coding
	first int
}

func partOf(c Coding, first int) Coding {
	if j, ok := c.(joined); ok {
		return joined{j.boxed, j.base + first}
	}
	if b, ok := c.(Blocks); ok {
		return blocksPart{part{c, first}, b}
	}
	return part{c, first}
}

// Whole returns the coding that c is a part of, and the index of the element at which c begins there. If c is not a part of
// another coding, Whole returns c and 0.
func Whole(c Coding) (whole Coding, first int) {
	for {
		switch p := c.(type) {
		case part:
			c, first = p.Coding, first+p.first
		case blocksPart:
			c, first = p.part.Coding, first+p.part.first
		default:
			return c, first
		}
	}
}

func (p part) Widen(dst []float32, first int) { p.Coding.Widen(dst, p.first+first) }

// coded is the codec of tensors that have a Coding.
var coded = codec{name: "CODED", elems: 1, kind: floatKind, ggml: notInGGML}

// Type returns the name of the dtype, or of the coding.
func (t Tensor) Type() string {
	if t.Coding != nil {
		return t.Coding.String()
	}
	return t.DType.String()
}

// Parts returns the bytes that are stored for t. For a piece of a coded tensor they are those of the whole tensor.
func (t Tensor) Parts() [][]byte {
	if t.Coding != nil {
		return t.Coding.Parts()
	}
	return [][]byte{t.Data}
}

// Size returns the number of bytes that are stored for t. For a piece of a coded tensor it is that of the whole tensor.
func (t Tensor) Size() (n int) {
	for _, p := range t.Parts() {
		n += len(p)
	}
	return n
}

// Widen32 decodes the elements of t into dst as WidenF32 does. It panics if t does not hold floats or dst has another length.
func (t Tensor) Widen32(dst []float32) {
	if t.Coding == nil {
		WidenF32(dst, t.DType, t.Data)
		return
	}
	checkCoded(t, len(dst))
	t.Coding.Widen(dst, 0)
}

// Widen64 decodes the elements of t into dst as WidenF64 does; those of a coded tensor are float32 values. It panics if t does
// not hold floats or dst has another length.
func (t Tensor) Widen64(dst []float64) {
	if t.Coding == nil {
		WidenF64(dst, t.DType, t.Data)
		return
	}
	checkCoded(t, len(dst))
	if _, ok := t.Coding.(joined); ok {
		WidenF64(dst, t.DType, t.Solid().Data)
		return
	}
	var values [1024]float32
	for first := 0; first < len(dst); first += len(values) {
		part := values[:min(len(values), len(dst)-first)]
		t.Coding.Widen(part, first)
		for i, v := range part {
			dst[first+i] = float64(v)
		}
	}
}

// SameBytes reports whether two tensors have the same dtype and are stored as equal bytes, in one piece or in parts. It is
// false for coded tensors; compare their values instead.
func (t Tensor) SameBytes(u Tensor) bool {
	if t.DType != u.DType || !t.bare() || !u.bare() {
		return false
	}
	if t.Coding != nil || u.Coding != nil {
		return sameJoined(t, u)
	}
	return bytes.Equal(t.Data, u.Data)
}

func checkCoded(t Tensor, n int) {
	if n != t.Elems() {
		panic("tensor: as many values as elements are wanted")
	}
}
