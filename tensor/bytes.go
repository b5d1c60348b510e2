package tensor

import (
	"encoding/binary"
	"math"
)

// Element is a Go type for the elements of a tensor.
type Element interface {
	float32 | float64 | int32 | int64
}

// dtypeOf returns the dtype of a Go element type.
func dtypeOf[T Element]() DType {
	var zero T
	switch any(zero).(type) {
	case float32:
		return F32
	case float64:
		return F64
	case int32:
		return I32
	default:
		return I64
	}
}

// littleEndian reports whether the host stores numbers as checkpoints do. A variable only for the tests,
// which run the portable path on every machine.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Bytes returns v as little-endian bytes: a view of v on a little-endian host, else a copy.
// It must be treated as read-only.
func Bytes[T Element](v []T) []byte {
	if littleEndian {
		return raw(v)
	}
	return appendBytes(make([]byte, 0, len(v)*dtypeOf[T]().Size()), v)
}

// appendBytes appends the little-endian encoding of v on any host.
func appendBytes[T Element](dst []byte, v []T) []byte {
	switch v := any(v).(type) {
	case []float32:
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
		}
	case []float64:
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
		}
	case []int32:
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(x))
		}
	case []int64:
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
		}
	}
	return dst
}
