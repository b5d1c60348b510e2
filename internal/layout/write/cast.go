package write

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/quantize"
	"github.com/gomamba/gomamba/tensor"
)

// Scratch is what one thread works in.
type Scratch struct {
	values  []float32
	encoded []byte
	joined  []byte // of several parts
	narrow  []byte // values on their way through a dtype
	wide    []float64
}

// Cast returns a source that is some tensors of one size, one after the other, under another name, shape and dtype. change,
// which may be nil, maps the values on their way, in place; first is the index of the first in its tensor.
//
// Values are widened exactly to float32 and rounded to the nearest of the target (ties to even); F64 values are
// rounded once if the target is F64 or F32. A finite value that would become infinite is an error. dtype is a plain one,
// unless it is t's and nothing changes. A coded t has none of these.
func Cast(parts []tensor.Tensor, name string, dtype tensor.DType, shape []int, change func(first int, values []float32) error) Source {
	return stack(name, dtype, shape, len(parts), func(s *Scratch, i, first, end int) ([]byte, error) {
		return cast(s, parts[i], dtype, first, end, change)
	})
}

// Rows is Cast for the rows of a matrix, or the elements of a vector, in another order: row i is that of index from(i).
func Rows(t tensor.Tensor, name string, dtype tensor.DType, shape []int, from func(i int) int) Source {
	cols := t.Elems() / shape[0]
	return stack(name, dtype, shape, shape[0], func(s *Scratch, i, first, end int) ([]byte, error) {
		return cast(s, t, dtype, from(i)*cols+first, from(i)*cols+end, nil)
	})
}

// cast returns the elements first to end of t as dtype.
func cast(s *Scratch, t tensor.Tensor, dtype tensor.DType, first, end int, change func(first int, values []float32) error) ([]byte, error) {
	if t.DType == dtype && change == nil {
		if piece := t.Piece(first, end).Solid(); piece.Coding == nil {
			mmap.Fetch(piece.Data)
			return piece.Data, nil
		}
	}
	values, err := s.read(t, dtype, first, end, change != nil)
	if err != nil {
		return nil, err
	}
	if change != nil {
		if err := change(first, values); err != nil {
			return nil, err
		}
	}
	encoded := room(&s.encoded, dtype.Bytes(end-first))
	kernel.Narrow(encoded, dtype, values)
	return encoded, nil
}

// stack returns a source of n parts of one size, one after the other. piece returns elements of a part.
func stack(name string, dtype tensor.DType, shape []int, n int, piece func(s *Scratch, part, first, end int) ([]byte, error)) Source {
	elems, _ := tensor.Count(shape) // of a valid configuration
	each := max(elems/n, 1)
	return Source{Name: name, DType: dtype, Shape: shape, Piece: func(s *Scratch, first, end int) ([]byte, error) {
		if part := first / each; end <= (part+1)*each {
			return piece(s, part, first-part*each, end-part*each)
		}
		s.joined = s.joined[:0]
		for at := first; at < end; {
			part := at / each
			next := min((part+1)*each, end)
			encoded, err := piece(s, part, at-part*each, next-part*each)
			if err != nil {
				return nil, err
			}
			s.joined, at = append(s.joined, encoded...), next
		}
		return s.joined, nil
	}}
}

// read returns the elements first to end of t as float32, after a check that they are sound and that dtype holds them. owned says
// that the caller changes them.
func (s *Scratch) read(t tensor.Tensor, dtype tensor.DType, first, end int, owned bool) ([]float32, error) {
	stored := t.Piece(first, end).Solid()
	mmap.Fetch(stored.Data)
	var values []float32
	if stored.DType == tensor.F32 && stored.Coding == nil && !owned {
		values = tensor.Float32s(stored)
	} else {
		values = room(&s.values, end-first)
		stored.Widen32(values)
	}
	if err := sound(stored, values, first); err != nil {
		return nil, err
	}
	return values, fits(s, stored, values, dtype, first)
}

// room returns n elements of buf, which grows if it has fewer.
func room[E any](buf *[]E, n int) []E {
	*buf = slices.Grow((*buf)[:0], n)
	return (*buf)[:n]
}

// sound reports the first block whose values are not finite: its scale is not, or it is too large. No weights are like that,
// and a dtype without blocks would hide where they come from.
func sound(from tensor.Tensor, values []float32, first int) error {
	if !from.DType.Quantized() && from.Coding == nil {
		return nil
	}
	bad := numcheck.NonFinite(values)
	switch {
	case bad < 0:
		return nil
	case from.Coding != nil && from.DType != tensor.Coded:
		return fmt.Errorf("element %d becomes %v with the adapter or the multipliers, which are too large", first+bad, values[bad])
	}
	if from.Coding != nil {
		return fmt.Errorf("element %d is %v, for a scale of %s is not finite or too large; the file is damaged: download it again, or take another one",
			first+bad, values[bad], from.Type())
	}
	elems, _ := from.DType.Block()
	block := (first + bad) / elems
	return fmt.Errorf("block %d of %s, elements %d to %d, is not finite: element %d is %v; the file is damaged: download it again, or take another one",
		block, from.DType, block*elems, (block+1)*elems-1, first+bad, values[bad])
}

// fits reports the first value that the target cannot hold.
func fits(s *Scratch, from tensor.Tensor, values []float32, to tensor.DType, first int) error {
	wider := "use bf16 or f32"
	if to == tensor.BF16 {
		wider = "use f32"
	}
	infinite := func(i int, v any, limit, use string) error {
		return fmt.Errorf("element %d is %v, which is beyond %s and would become infinite; %s", first+i, v, limit, use)
	}
	largest, overflow, ok := to.Range()
	if !ok && to.Quantized() {
		largest, ok = quantize.Largest(to), true
		overflow = math.Nextafter(largest, math.Inf(1))
	}
	if ok && !(float64(kernel.MaxAbs(values)) < overflow) {
		for i, v := range values {
			switch a := math.Abs(float64(v)); {
			case to.Quantized() && !(a < overflow):
				return fmt.Errorf("element %d is %v: %s is written from finite values up to %.6g; use bf16 or f32", first+i, v, to, largest)
			case a >= overflow && !math.IsInf(a, 0):
				return infinite(i, v, fmt.Sprintf("the largest %s, %.8g,", to, largest), wider)
			}
		}
	}
	if from.DType != tensor.F64 {
		return nil
	}
	wide := room(&s.wide, len(values))
	from.Widen64(wide)
	for i, v := range values {
		if math.IsInf(float64(v), 0) && !math.IsInf(wide[i], 0) {
			return infinite(i, wide[i], "the largest F32", "use f64")
		}
	}
	return nil
}
