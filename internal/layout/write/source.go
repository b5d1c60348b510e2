package write

import "github.com/gomamba/gomamba/tensor"

// Source is a tensor to be written.
type Source struct {
	Name  string // in the target
	DType tensor.DType
	Shape []int
	// From is the stored name of the tensor that it is made of, File the file with that, for errors about what it holds. Both
	// may be empty.
	From, File string
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
