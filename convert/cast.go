package convert

import (
	"fmt"
	"math"

	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/tensor"
)

// pieceElems is how many elements are converted at a time.
const pieceElems = 1 << 16

// cast returns a source that writes t under another name, shape and dtype, in pieces. change, which may be nil, maps
// the values on their way, in place; first is the index of the first.
//
// Values are widened exactly to float32 and rounded to the nearest of the target (ties to even); F64 values are
// rounded once where the target is F64 or F32. A finite value that the target can only hold as infinity is an error.
func cast(t tensor.Tensor, name string, dtype tensor.DType, shape []int, change func(first int, values []float32) error) Source {
	s := Source{Name: name, DType: dtype, Shape: shape}
	if t.DType == dtype && change == nil {
		s.Write = func(emit func([]byte) error) error {
			return mmap.Guard(func() error { return emit(t.Data) })
		}
		return s
	}
	s.Write = func(emit func([]byte) error) error {
		return mmap.Guard(func() error { return castPieces(t, dtype, change, emit) })
	}
	return s
}

func castPieces(t tensor.Tensor, dtype tensor.DType, change func(int, []float32) error, emit func([]byte) error) error {
	size := t.DType.Size()
	values := make([]float32, pieceElems)
	encoded := make([]byte, pieceElems*dtype.Size())
	for first := 0; first < t.Elems(); first += pieceElems {
		n := min(pieceElems, t.Elems()-first)
		stored := t.Data[first*size : (first+n)*size]
		piece := encoded[:n*dtype.Size()]
		tensor.WidenF32(values[:n], t.DType, stored)
		if err := fits(t.DType, stored, values[:n], dtype, first); err != nil {
			return err
		}
		if change != nil {
			if err := change(first, values[:n]); err != nil {
				return err
			}
		}
		tensor.NarrowF32(piece, dtype, values[:n])
		if err := emit(piece); err != nil {
			return err
		}
	}
	return nil
}

// largestF16 is the largest finite float16; what rounds beyond it becomes infinite from 65520 on.
const largestF16, overflowF16 = 65504, 65520

// fits reports the first finite value that would become infinite.
func fits(from tensor.DType, stored []byte, values []float32, to tensor.DType, first int) error {
	infinite := func(i int, v any, limit string) error {
		return fmt.Errorf("element %d is %v, which is beyond %s and would become infinite; use bf16 or f32", first+i, v, limit)
	}
	if to == tensor.F16 {
		for i, v := range values {
			if a := math.Abs(float64(v)); a >= overflowF16 && !math.IsInf(a, 0) {
				return infinite(i, v, fmt.Sprintf("the largest F16, %d,", largestF16))
			}
		}
	}
	if from != tensor.F64 {
		return nil
	}
	wide := make([]float64, len(values))
	tensor.WidenF64(wide, from, stored)
	for i, v := range values {
		if math.IsInf(float64(v), 0) && !math.IsInf(wide[i], 0) {
			return infinite(i, wide[i], "the largest F32")
		}
	}
	return nil
}
