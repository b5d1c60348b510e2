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

	// Files of other models hold these. They are read as far as their size goes, and nothing computes with them.
	F4
	F6_E2M3
	F6_E3M2
	F8_E5M2
	F8_E4M3
	F8_E8M0
	F8_E4M3FNUZ
	F8_E5M2FNUZ
	C64
	C32 // from here on of pickles alone, under names of our own
	C128
	F4x2 // a byte of two F4
	QInt8
	QUInt8
	QInt32
	QUInt4x2
	QUInt2x4
)

// plainTypes is the last of the dtypes that store one element after the other and that something computes with;
// lastSafetensors is the last one that a safetensors file may hold.
const (
	plainTypes      = U64
	lastSafetensors = C64
)

// kind tells what arithmetic a dtype's elements follow.
type kind uint8

const (
	boolKind kind = iota
	floatKind
	signedKind
	unsignedKind
	foreignKind // none that is known here
)

var dtypes = [...]struct {
	name  string // as safetensors spells it
	size  int    // bytes of an element, or of a block of them
	kind  kind
	elems int // of a block; 0: 1
}{
	Bool:        {"BOOL", 1, boolKind, 0},
	U8:          {"U8", 1, unsignedKind, 0},
	I8:          {"I8", 1, signedKind, 0},
	I16:         {"I16", 2, signedKind, 0},
	U16:         {"U16", 2, unsignedKind, 0},
	F16:         {"F16", 2, floatKind, 0},
	BF16:        {"BF16", 2, floatKind, 0},
	I32:         {"I32", 4, signedKind, 0},
	U32:         {"U32", 4, unsignedKind, 0},
	F32:         {"F32", 4, floatKind, 0},
	F64:         {"F64", 8, floatKind, 0},
	I64:         {"I64", 8, signedKind, 0},
	U64:         {"U64", 8, unsignedKind, 0},
	Q8_0:        {"Q8_0", q8Bytes, floatKind, q8Elems},
	F4:          {"F4", 1, foreignKind, 2},
	F6_E2M3:     {"F6_E2M3", 3, foreignKind, 4},
	F6_E3M2:     {"F6_E3M2", 3, foreignKind, 4},
	F8_E5M2:     {"F8_E5M2", 1, foreignKind, 0},
	F8_E4M3:     {"F8_E4M3", 1, foreignKind, 0},
	F8_E8M0:     {"F8_E8M0", 1, foreignKind, 0},
	F8_E4M3FNUZ: {"F8_E4M3FNUZ", 1, foreignKind, 0},
	F8_E5M2FNUZ: {"F8_E5M2FNUZ", 1, foreignKind, 0},
	C64:         {"C64", 8, foreignKind, 0},
	C32:         {"C32", 4, foreignKind, 0},
	C128:        {"C128", 16, foreignKind, 0},
	F4x2:        {"F4X2", 1, foreignKind, 0},
	QInt8:       {"QINT8", 1, foreignKind, 0},
	QUInt8:      {"QUINT8", 1, foreignKind, 0},
	QInt32:      {"QINT32", 4, foreignKind, 0},
	QUInt4x2:    {"QUINT4X2", 1, foreignKind, 2},
	QUInt2x4:    {"QUINT2X4", 1, foreignKind, 4},
}

// Valid reports whether d is one of the constants of this package.
func (d DType) Valid() bool { return d >= Bool && int(d) < len(dtypes) }

// Plain reports whether d stores one element after the other and can be computed with or written.
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
	if !d.Valid() {
		panic(fmt.Sprintf("tensor: block of invalid dtype %d", uint8(d)))
	}
	return max(1, dtypes[d].elems), dtypes[d].size
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

// String returns the name safetensors files use, such as "F32" or "BOOL", ggml's for Q8_0, and for what only PyTorch has
// a name in the same style.
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
	for d := Bool; d <= lastSafetensors; d++ {
		if d != Q8_0 && dtypes[d].name == s {
			return d, true
		}
	}
	return 0, false
}
