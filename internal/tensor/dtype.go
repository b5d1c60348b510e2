// Package tensor describes tensors as checkpoints store them: a dtype, a shape and little-endian bytes
// that are used where they lie. It also holds the conversions between the stored dtypes and the
// float32 or float64 that computation runs in.
package tensor

import "fmt"

// DType is the type of one stored element.
type DType uint8

// The dtypes a checkpoint may hold, ordered by alignment exactly as the safetensors reference package
// orders its own list (safetensors/src/tensor.rs): a file's data section goes from the largest down.
const (
	Bool DType = iota + 1
	U8
	I8
	I16
	U16
	F16
	BF16
	I32
	U32
	F32
	F64
	I64
	U64
)

// kind tells what arithmetic a dtype's elements follow.
type kind uint8

const (
	boolKind kind = iota
	floatKind
	signedKind
	unsignedKind
)

var dtypes = [...]struct {
	name string // as safetensors spells it
	size int    // bytes per element
	kind kind
}{
	Bool: {"BOOL", 1, boolKind},
	U8:   {"U8", 1, unsignedKind},
	I8:   {"I8", 1, signedKind},
	I16:  {"I16", 2, signedKind},
	U16:  {"U16", 2, unsignedKind},
	F16:  {"F16", 2, floatKind},
	BF16: {"BF16", 2, floatKind},
	I32:  {"I32", 4, signedKind},
	U32:  {"U32", 4, unsignedKind},
	F32:  {"F32", 4, floatKind},
	F64:  {"F64", 8, floatKind},
	I64:  {"I64", 8, signedKind},
	U64:  {"U64", 8, unsignedKind},
}

// Valid reports whether d is one of the constants of this package.
func (d DType) Valid() bool { return d >= Bool && int(d) < len(dtypes) }

// Size returns the bytes one element takes. It panics when d is not Valid.
func (d DType) Size() int {
	if !d.Valid() {
		panic(fmt.Sprintf("tensor: size of invalid dtype %d", uint8(d)))
	}
	return dtypes[d].size
}

// String returns the name safetensors files use, such as "F32" or "BOOL".
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// MarshalText implements encoding.TextMarshaler: the name that String gives.
func (d DType) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Float reports whether d is F64, F32, F16 or BF16.
func (d DType) Float() bool { return d.Valid() && dtypes[d].kind == floatKind }

// Integer reports whether d is a signed or unsigned integer; Bool is not.
func (d DType) Integer() bool {
	return d.Valid() && (dtypes[d].kind == signedKind || dtypes[d].kind == unsignedKind)
}

// ParseDType returns the dtype of that name as String spells it; case matters, as in the file format.
func ParseDType(s string) (DType, bool) {
	for d := Bool; d.Valid(); d++ {
		if dtypes[d].name == s {
			return d, true
		}
	}
	return 0, false
}
