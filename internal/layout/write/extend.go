package write

import (
	"sync"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/quantize"
	"github.com/gomamba/gomamba/tensor"
)

// Resized returns the first rows of a matrix, or t itself with as many rows more as are wanted, each of which is the mean of the
// first used ones. The mean is taken when it is needed. rows is at least 1 and used at most that of t.
func (t Weight) Resized(rows, used int) Weight {
	cols := t.Shape[1]
	if rows <= t.Shape[0] {
		t.Data, t.Shape = t.Data[:t.DType.Bytes(rows*cols)], []int{rows, cols}
		return t
	}
	whole := t
	t.fill = sync.OnceValues(func() ([]float32, error) {
		sums, row := make([]float64, cols), make([]float32, cols)
		for r := range used {
			if err := whole.Delta.Widen(row, whole.Tensor, r*cols); err != nil {
				return nil, err
			}
			for c, v := range row {
				sums[c] += float64(v)
			}
		}
		for c, sum := range sums {
			row[c] = float32(sum / float64(used))
		}
		return row, nil
	})
	return t
}

// stored returns those of the elements first to end that are not of added rows, and where they end.
func (t *Weight) stored(first, end int) (piece tensor.Tensor, upTo int) {
	if t.fill == nil {
		return t.Piece(first, end), end
	}
	have := t.Elems()
	return t.Piece(min(first, have), min(end, have)), min(max(have, first), end)
}

// added sets values to the elements of added rows from first on.
func (t *Weight) added(values []float32, first int) error {
	if len(values) == 0 {
		return nil
	}
	row, err := t.fill()
	if err != nil {
		return err
	}
	for at := 0; at < len(values); {
		at += copy(values[at:], row[(first+at)%len(row):])
	}
	return nil
}

// bytes returns the elements first to end as they are stored, added rows in the same dtype.
func (t *Weight) bytes(s *Scratch, first, end int) ([]byte, error) {
	stored, upTo := t.stored(first, end)
	if upTo == end {
		return stored.Data, nil
	}
	values := room(&s.values, end-upTo)
	if err := t.added(values, upTo); err != nil {
		return nil, err
	}
	encoded := room(&s.encoded, t.DType.Bytes(end-first))
	n := copy(encoded, stored.Data)
	if t.DType.Quantized() {
		return encoded, quantize.Row(encoded[n:], t.DType, values, nil)
	}
	kernel.Narrow(encoded[n:], t.DType, values)
	return encoded, nil
}
