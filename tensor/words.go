package tensor

import "encoding/binary"

// Uint16s returns the bits of the elements of a tensor whose dtype is two bytes wide (F16 or BF16):
// a read-only view of t.Data where it lies aligned on a little-endian host, else a copy.
// It panics when t.DType is not two bytes wide.
func Uint16s(t Tensor) []uint16 {
	if t.DType.Size() != 2 {
		panic("tensor: Uint16s of " + t.DType.String())
	}
	if v, ok := view[uint16](t.Data); ok {
		return v
	}
	bits := make([]uint16, t.Elems())
	for i := range bits {
		bits[i] = binary.LittleEndian.Uint16(t.Data[2*i:])
	}
	return bits
}
