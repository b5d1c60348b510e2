package kernel

import (
	"slices"
	"sync"
)

// buffers are kept from one piece of work to the next: for rows that were widened or padded, for states.
var buffers = sync.Pool{New: func() any { return new([]float32) }}

// buffer returns n values from buffers, to be put back. It holds anything.
func buffer(n int) *[]float32 {
	t := buffers.Get().(*[]float32)
	*t = slices.Grow((*t)[:0], n)[:n]
	return t
}
