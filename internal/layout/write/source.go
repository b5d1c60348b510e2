package write

import (
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/tensor"
)

// Weight is a tensor of the checkpoint that is converted.
type Weight struct {
	tensor.Tensor
	Delta *delta.Delta // what an adapter changes in it; nil: nothing

	fill func() ([]float32, error) // a row that is added, see Resized; nil: none are
}

// Source is a tensor to be written.
type Source struct {
	Name  string // in the target
	DType tensor.DType
	Shape []int
	// Write hands the little-endian elements to emit, in order and in pieces of any size, and stops at emit's first
	// error. A piece may be overwritten when emit returns. Several sources are written at a time.
	Write func(emit func(piece []byte) error) error
	// Piece takes the place of Write where any part can be had by itself: it returns the elements first to end, whole
	// blocks of the dtype and at most pieceElems, in s or where they lie.
	Piece func(s *Scratch, first, end int) ([]byte, error)
}

// Bytes returns the size of the tensor, whose shape has been checked.
func (s Source) Bytes() int64 {
	n, _ := tensor.ByteCount(s.DType, s.Shape)
	return int64(n)
}
