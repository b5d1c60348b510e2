package tensor

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Box is a part of a tensor that is stored separately: the elements that begin at index Offset and number Shape in each
// dimension.
type Box struct {
	Offset, Shape []int
	Data          []byte // row-major, little-endian
}

// maxBoxes is the most boxes of a tensor that are divided along several dimensions: each is held to every other.
const maxBoxes = 1 << 10

// Join returns t, a tensor of a plain dtype, with the elements that are stored in boxes. grid is the shape that their offsets
// refer to; it has as many elements as t. The elements stay where they are, so the result has a Coding unless they are in one
// piece; Solid copies them into one. The error says why the boxes do not make up the tensor.
func Join(t Tensor, grid []int, boxes []Box) (Tensor, error) {
	elems, ok := Count(t.Shape)
	if n, same := Count(grid); !ok || !same || n != elems || !t.DType.Plain() {
		return t, fmt.Errorf("its shape %v of %s cannot be divided as %v", t.Shape, t.DType, grid)
	}
	j := &boxed{dtype: t.DType, grid: grid}
	for _, b := range boxes {
		r, err := newRuns(b, grid, t.DType.Size())
		if err != nil {
			return t, err
		}
		if r.count > 0 {
			j.boxes = append(j.boxes, r)
		}
	}
	slices.SortStableFunc(j.boxes, func(a, b runs) int { return cmp.Compare(a.first, b.first) })
	if err := j.check(elems); err != nil {
		return t, err
	}
	t.Coding = joined{j, 0}
	if data, whole := j.solid(0, elems); whole {
		t.Coding, t.Data = nil, data
	}
	return t, nil
}

// runs are the elements of a box: sequences that are as long in the tensor as in the box.
type runs struct {
	data          []byte
	offset, shape []int
	first, length int   // element of the tensor that the first run begins with; elements of each
	count         int   // of runs
	counts, steps []int // of runs in each dimension, outermost first, and elements from one to the next
}

func newRuns(b Box, grid []int, size int) (r runs, err error) {
	if len(b.Offset) != len(grid) || len(b.Shape) != len(grid) {
		return r, fmt.Errorf("a part from %v on of %v has other dimensions than %v", b.Offset, b.Shape, grid)
	}
	for i, n := range grid {
		if b.Offset[i] < 0 || b.Shape[i] < 0 || b.Offset[i] > n || b.Shape[i] > n-b.Offset[i] {
			return r, fmt.Errorf("a part from %v on of %v is outside of %v", b.Offset, b.Shape, grid)
		}
	}
	elems, _ := Count(b.Shape) // no more than grid has
	if len(b.Data) != elems*size {
		return r, fmt.Errorf("a part from %v on of %v has %d bytes, expected %d", b.Offset, b.Shape, len(b.Data), elems*size)
	}
	r = runs{data: b.Data, offset: b.Offset, shape: b.Shape, length: 1, count: 1}
	if elems == 0 {
		r.count = 0
		return r, nil
	}
	step, whole := 1, true
	for i := len(grid) - 1; i >= 0; i-- {
		r.first += b.Offset[i] * step
		if whole {
			r.length *= b.Shape[i]
		} else {
			r.count *= b.Shape[i]
			r.counts, r.steps = append(r.counts, b.Shape[i]), append(r.steps, step)
		}
		whole = whole && b.Shape[i] == grid[i]
		step *= grid[i]
	}
	slices.Reverse(r.counts)
	slices.Reverse(r.steps)
	return r, nil
}

// start returns the element of the tensor that run i begins with.
func (r *runs) start(i int) int {
	at := r.first
	for d := len(r.counts) - 1; d >= 0; d-- {
		at += i % r.counts[d] * r.steps[d]
		i /= r.counts[d]
	}
	return at
}

// boxed are the boxes of a tensor, by their first elements.
type boxed struct {
	dtype DType
	grid  []int // the shape by which they count
	boxes []runs
	flat  bool // each is one run, so they follow each other
}

// check makes sure that every element is in exactly one box.
func (j *boxed) check(elems int) error {
	j.flat = true
	have := 0
	for i := range j.boxes {
		b := &j.boxes[i]
		j.flat = j.flat && b.count == 1
		if have += b.count * b.length; have > elems {
			return errors.New("its parts overlap")
		}
	}
	if !j.flat && len(j.boxes) > maxBoxes {
		return fmt.Errorf("it has %d parts along several dimensions, more than the %d this program reads", len(j.boxes), maxBoxes)
	}
	for i := range j.boxes {
		b := &j.boxes[i]
		for k := range j.boxes[:i] {
			if a := &j.boxes[k]; (!j.flat || k == i-1) && a.meets(b) {
				return fmt.Errorf("its parts overlap: one from %v on of %v, another from %v on of %v", a.offset, a.shape, b.offset, b.shape)
			}
		}
	}
	if have < elems {
		return fmt.Errorf("parts are missing: found %d of its %d elements", have, elems)
	}
	return nil
}

func (r *runs) meets(s *runs) bool {
	for i, at := range r.offset {
		if at >= s.offset[i]+s.shape[i] || s.offset[i] >= at+r.shape[i] {
			return false
		}
	}
	return true
}

// each calls f for what boxes have of the elements first to end, with the number of its first element counted from first on.
func (j *boxed) each(first, end int, f func(at int, data []byte)) {
	size := j.dtype.Size()
	boxes := j.boxes
	if j.flat {
		boxes = boxes[sort.Search(len(boxes), func(i int) bool { return boxes[i].first+boxes[i].length > first }):]
	}
	for i := range boxes {
		b := &boxes[i]
		if b.first >= end {
			return
		}
		k := sort.Search(b.count, func(k int) bool { return b.start(k)+b.length > first })
		for ; k < b.count; k++ {
			start := b.start(k)
			if start >= end {
				break
			}
			lo, hi := max(first-start, 0), min(end-start, b.length)
			f(start+lo-first, b.data[(k*b.length+lo)*size:(k*b.length+hi)*size])
		}
	}
}

// solid returns the elements first to end if they lie in one piece.
func (j *boxed) solid(first, end int) (data []byte, ok bool) {
	j.each(first, end, func(_ int, d []byte) { data, ok = d, data == nil })
	return data, ok && len(data) == j.dtype.Bytes(end-first) || first == end
}

// joined is the Coding of boxes, from an element on.
type joined struct {
	*boxed
	base int
}

// String implements Coding: to look at, the tensor is one like any other.
func (j joined) String() string { return j.dtype.String() }

// Parts implements Coding.
func (j joined) Parts() (parts [][]byte) {
	for _, b := range j.boxes {
		parts = append(parts, b.data)
	}
	return parts
}

// Widen implements Coding.
func (j joined) Widen(dst []float32, first int) {
	first += j.base
	j.each(first, first+len(dst), func(at int, data []byte) {
		WidenF32(dst[at:at+len(data)/j.dtype.Size()], j.dtype, data)
	})
}

// bytes sets dst to the elements from the first on.
func (j joined) bytes(dst []byte) {
	size := j.dtype.Size()
	j.each(j.base, j.base+len(dst)/size, func(at int, data []byte) { copy(dst[at*size:], data) })
}

// Boxes returns the parts of t, one if it is in one piece; ok is false if it is stored in codes, or was divided as another shape.
func (t Tensor) Boxes() (list []Box, ok bool) {
	if t.Coding == nil {
		return []Box{{Offset: make([]int, len(t.Shape)), Shape: t.Shape, Data: t.Data}}, t.DType.Plain()
	}
	j, ok := t.Coding.(joined)
	if !ok || j.base != 0 || !slices.Equal(j.grid, t.Shape) {
		return nil, false
	}
	for _, b := range j.boxes {
		list = append(list, Box{b.offset, b.shape, b.data})
	}
	return list, true
}

// Solid returns t with its elements in one piece. It copies them only if t was joined from several.
func (t Tensor) Solid() Tensor {
	j, ok := t.Coding.(joined)
	if !ok {
		return t
	}
	t.Data, t.Coding = make([]byte, t.DType.Bytes(t.Elems())), nil
	j.bytes(t.Data)
	return t
}

// bare reports whether the elements of t are stored as they are, in one piece or in parts.
func (t Tensor) bare() bool {
	_, parts := t.Coding.(joined)
	return parts || t.Coding == nil
}

// sameJoined is SameBytes if a tensor was joined, without much memory.
func sameJoined(t, u Tensor) bool {
	const most = 1 << 14
	n := t.Elems()
	if u.Elems() != n {
		return false
	}
	for first := 0; first < n; first += most {
		end := min(first+most, n)
		if !bytes.Equal(t.Piece(first, end).Solid().Data, u.Piece(first, end).Solid().Data) {
			return false
		}
	}
	return true
}
