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
	Q8_0 // of GGUF files alone: blocks of 32 elements, see QuantizeQ8_0
)

// plainTypes is the number of dtypes that store one element after the other, which are those of safetensors.
const plainTypes = U64

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
	size int    // bytes of an element, or of a block of them
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
	Q8_0: {"Q8_0", q8Bytes, floatKind},
}

// Valid reports whether d is one of the constants of this package.
func (d DType) Valid() bool { return d >= Bool && int(d) < len(dtypes) }

// Plain reports whether d stores one element after the other. All of safetensors' dtypes do.
func (d DType) Plain() bool { return d.Valid() && d <= plainTypes }

// Size returns the bytes one element takes. It panics when d is not Plain.
func (d DType) Size() int {
	if !d.Plain() {
		panic(fmt.Sprintf("tensor: size of an element of %s", d))
	}
	return dtypes[d].size
}

// Block returns how many elements are stored together, 1 for a plain dtype, and the bytes they take.
// It panics when d is not Valid.
func (d DType) Block() (elems, bytes int) {
	switch {
	case !d.Valid():
		panic(fmt.Sprintf("tensor: block of invalid dtype %d", uint8(d)))
	case d == Q8_0:
		return q8Elems, q8Bytes
	}
	return 1, dtypes[d].size
}

// Bytes returns the bytes that n elements take, which is also the offset of element n.
// It panics when d is not Valid or n is not a number of whole blocks.
func (d DType) Bytes(n int) int {
	elems, bytes := d.Block()
	if n%elems != 0 {
		panic(fmt.Sprintf("tensor: %d elements are no whole blocks of %s", n, d))
	}
	return n / elems * bytes
}

// String returns the name safetensors files use, such as "F32" or "BOOL", and ggml's for Q8_0.
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// MarshalText implements encoding.TextMarshaler: the name that String gives.
func (d DType) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Float reports whether d is F64, F32, F16, BF16 or Q8_0.
func (d DType) Float() bool { return d.Valid() && dtypes[d].kind == floatKind }

// Integer reports whether d is a signed or unsigned integer; Bool is not.
func (d DType) Integer() bool {
	return d.Valid() && (dtypes[d].kind == signedKind || dtypes[d].kind == unsignedKind)
}

// ParseDType returns the dtype of a safetensors file that String spells so; case matters, as in the file format.
func ParseDType(s string) (DType, bool) {
	for d := Bool; d.Plain(); d++ {
		if dtypes[d].name == s {
			return d, true
		}
	}
	return 0, false
}
