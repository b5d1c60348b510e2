package write

import "github.com/gomamba/gomamba/tensor"

// Blocks returns a source that is the codes and scales of a weight as blocks of NVFP4, under another name.
func Blocks(c tensor.Blocks, name string, shape []int) Source {
	s := Source{Name: name, DType: tensor.NVFP4, Shape: shape}
	s.Piece = func(s *Scratch, first, end int) ([]byte, error) {
		encoded := room(&s.encoded, tensor.NVFP4.Bytes(end-first))
		return encoded, c.Blocks(encoded, first)
	}
	return s
}
