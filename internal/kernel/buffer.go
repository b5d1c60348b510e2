package kernel

import (
	"slices"
	"sync"
	"unsafe"
)

// buffers are kept from one piece of work to the next: for rows that were widened or padded, for states.
var buffers = sync.Pool{New: func() any { return new([]float32) }}

// buffer returns n values from buffers, to be put back. What is in them means nothing.
func buffer(n int) *[]float32 {
	t := buffers.Get().(*[]float32)
	*t = slices.Grow((*t)[:0], n)[:n]
	return t
}

// stored returns the memory of v, in the byte order of this machine, as leaves take float32.
func stored(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// floats is the inverse of stored.
func floats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}
