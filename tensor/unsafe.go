package tensor

import "unsafe"

// This file holds every use of unsafe in the package: two views between bytes and numbers.

// raw returns the memory of v as bytes, in the host's byte order.
// Any number may be looked at as bytes: byte alignment is 1 and the length is that of v exactly.
func raw[T Element](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}

// view returns b as elements of T without copying. ok is false when that cannot be done: b is not a
// whole number of elements, does not start at an address T may live at, or the host is big-endian.
func view[T Element](b []byte) (v []T, ok bool) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if !littleEndian || len(b)%size != 0 {
		return nil, false
	}
	if len(b) == 0 {
		return []T{}, true
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%unsafe.Alignof(zero) != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(p), len(b)/size), true
}
