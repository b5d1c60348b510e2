package model

import "slices"

// scratch says which arrays the blocks of a model work in. Each has a row for every row of a chunk. Blocks that name the same
// array share it, as one of them runs at a time.
type scratch struct {
	names  []string
	widths []int // values in a row, of the block that wants most
}

// array is an array of a chunk: its place among them.
type array int

// reserve returns the array of that name, with rows of width values or more.
func (s *scratch) reserve(name string, width int) array {
	i := slices.Index(s.names, name)
	if i < 0 {
		i = len(s.names)
		s.names, s.widths = append(s.names, name), append(s.widths, 0)
	}
	s.widths[i] = max(s.widths[i], width)
	return array(i)
}

// resized returns v with n values, which may be anything. It keeps memory that is large enough.
func resized[T any](v []T, n int) []T { return slices.Grow(v[:0], n)[:n] }
