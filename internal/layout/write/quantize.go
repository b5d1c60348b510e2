package write

import (
	"errors"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/quantize"
	"github.com/gomamba/gomamba/tensor"
)

// Quantize returns a source that is some matrices in blocks, one after the other, under another name. importance is the mean
// square of the input of each column, for one matrix after the other; nil: all count the same. A value that is not finite is an
// error, for it would take its block along, and so is one beyond the dtype's range.
func Quantize(parts []tensor.Tensor, name string, dtype tensor.DType, shape []int, importance []float32) Source {
	cols := shape[len(shape)-1]
	return stack(name, dtype, shape, len(parts), func(s *Scratch, part, first, end int) ([]byte, error) {
		var weights []float32
		if importance != nil {
			weights = importance[part*cols:][:cols]
		}
		return quantized(s, parts[part], dtype, cols, first, end, weights)
	})
}

// QuantizeRows is Quantize for the rows of a matrix in another order: row i is that of index from(i).
func QuantizeRows(t tensor.Tensor, name string, dtype tensor.DType, shape []int, importance []float32, from func(i int) int) Source {
	cols := shape[len(shape)-1]
	return stack(name, dtype, shape, shape[0], func(s *Scratch, row, first, end int) ([]byte, error) {
		return quantized(s, t, dtype, cols, from(row)*cols+first, from(row)*cols+end, importance)
	})
}

// quantized returns the elements first to end of a matrix in blocks. weights is the importance of the columns, or nil.
func quantized(s *Scratch, t tensor.Tensor, dtype tensor.DType, cols, first, end int, weights []float32) ([]byte, error) {
	values, err := s.read(t, dtype, first, end, false)
	if err != nil {
		return nil, err
	}
	encoded := room(&s.encoded, dtype.Bytes(end-first))
	for at := first; at < end; {
		col := at % cols
		n := min(cols-col, end-at) // whole blocks, as rows and pieces are
		var of []float32
		if weights != nil {
			of = weights[col:][:n]
		}
		block := encoded[dtype.Bytes(at-first):dtype.Bytes(at+n-first)]
		if err := quantize.Row(block, dtype, values[at-first:][:n], of); err != nil {
			return nil, err
		}
		at += n
	}
	return encoded, nil
}

// What is asked of a quantization that makes it useless, or worse than it need be. They are recognised by errors.Is.
var (
	ErrNoImportance = errors.New("an importance matrix is missing")
	ErrRequantizes  = errors.New("quantized weights would be quantized again")
)

// Refuse is an unsupported conversion for one of these reasons, or for another error that callers recognise.
func Refuse(reason error, what badfile.UnsupportedError) error { return &refusal{&what, reason} }

type refusal struct {
	*badfile.UnsupportedError
	reason error
}

func (r *refusal) Unwrap() []error { return []error{r.UnsupportedError, r.reason} }
