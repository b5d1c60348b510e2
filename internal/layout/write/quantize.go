package write

import (
	"errors"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/quantize"
	"github.com/gomamba/gomamba/tensor"
)

// Quantize returns a source that is t in blocks, under another name. importance is the mean square of the input of each
// column, for one matrix of t after the other; nil: all count the same. A value that is not finite is an error, for it would
// take its block along, and so is one beyond the dtype's range.
func Quantize(t Weight, name string, dtype tensor.DType, shape []int, importance []float32) Source {
	cols := shape[len(shape)-1]
	rows := 1 // of each matrix
	if len(shape) > 1 {
		rows = shape[len(shape)-2]
	}
	s := Source{Name: name, DType: dtype, Shape: shape}
	s.Piece = func(s *Scratch, first, end int) ([]byte, error) {
		values, err := s.read(t, dtype, first, end, false)
		if err != nil {
			return nil, err
		}
		encoded := room(&s.encoded, dtype.Bytes(end-first))
		for at := first; at < end; {
			col := at % cols
			n := min(cols-col, end-at) // whole blocks, as rows and pieces are
			var weights []float32
			if importance != nil {
				weights = importance[at/(rows*cols)*cols+col:][:n]
			}
			block := encoded[dtype.Bytes(at-first):dtype.Bytes(at+n-first)]
			if err := quantize.Row(block, dtype, values[at-first:][:n], weights); err != nil {
				return nil, err
			}
			at += n
		}
		return encoded, nil
	}
	return s
}

// What is asked of a quantization that makes it useless, or worse than it need be. They are recognised by errors.Is.
var (
	ErrNoImportance = errors.New("an importance matrix is missing")
	ErrRequantizes  = errors.New("quantized weights would be quantized again")
)

// Refuse is an unsupported conversion for one of these reasons.
func Refuse(reason error, what badfile.UnsupportedError) error { return &refusal{&what, reason} }

type refusal struct {
	*badfile.UnsupportedError
	reason error
}

func (r *refusal) Unwrap() []error { return []error{r.UnsupportedError, r.reason} }
