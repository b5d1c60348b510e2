package model

import (
	"slices"

	"github.com/gomamba/gomamba/internal/kernel"
)

// scratch says which arrays the blocks of a model work in. Each has a row for every row of a chunk. Blocks that name the same
// array share it, as one of them runs at a time.
type scratch struct {
	names  []string
	widths []int // values in a row, of the block that wants most
	copies []int // of each row of a chunk, of the block that wants most

	embedded bool // some step reads the embeddings
	branched bool // some layer has a branch
}

// array is an array of a chunk: its place among them.
type array int

// reserve returns the array of that name, with rows of width values or more.
func (s *scratch) reserve(name string, width int) array { return s.reserveCopies(name, width, 1) }

// reserveCopies is reserve for an array with room for a number of copies of each row of a chunk, if a chunk has few rows: as many
// rows in all as rowsOf says.
func (s *scratch) reserveCopies(name string, width, copies int) array {
	i := slices.Index(s.names, name)
	if i < 0 {
		i = len(s.names)
		s.names, s.widths, s.copies = append(s.names, name), append(s.widths, 0), append(s.copies, 0)
	}
	s.widths[i], s.copies[i] = max(s.widths[i], width), max(s.copies[i], copies)
	return array(i)
}

// rowsOf returns how many rows an array with a number of copies has in a chunk with n rows: in a long chunk no more than n, so
// that memory stays small.
func rowsOf(n, copies int) int { return min(n*copies, max(n, chunkTokens)) }

// resized returns v with n values, which may be anything. It keeps memory that is large enough.
func resized[T any](v []T, n int) []T { return slices.Grow(v[:0], n)[:n] }

// scaled are the inputs of a block times a number.
type scaled struct {
	scale float64 // 0: the inputs as they are
	array array   // [B·T, D]
}

// newScaled reserves room for inputs of a width, if there is something to scale.
func newScaled(s *scratch, scale float64, width int) scaled {
	if scale == 0 || scale == 1 {
		return scaled{}
	}
	return scaled{scale, s.reserve("scaled", width)}
}

// of returns the inputs of a chunk, scaled. Another block may read them without, so they stay as they are.
func (s *scaled) of(c *chunk) []float32 {
	if s.scale == 0 {
		return c.u
	}
	u := c.scratch[s.array][:len(c.u)]
	copy(u, c.u)
	kernel.Scale(u, s.scale)
	return u
}
