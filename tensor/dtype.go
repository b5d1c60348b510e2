// Package tensor describes tensors as checkpoints store them: a dtype, a shape and little-endian bytes
// that are used where they lie. It also holds the conversions between the stored dtypes and the
// float32 or float64 that computation runs in.
package tensor

import (
	"fmt"
	"iter"
)

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

	Q8_0 // of GGUF files alone, from here on: blocks
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q2_K
	Q3_K
	Q4_K
	Q5_K
	Q6_K
	IQ4_NL
	IQ4_XS
	IQ3_S
	IQ3_XXS
	IQ2_S
	IQ2_XS
	IQ2_XXS
	IQ1_M
	IQ1_S
	TQ2_0
	TQ1_0
	MXFP4
	NVFP4
	Q2_0
	Q1_0

	Coded // of several tensors, which a Coding puts together; no file has it as a dtype
)

// plainTypes is the last of the dtypes that store one element after the other and that something computes with;
// lastSafetensors is the last one that a safetensors file may hold.
const (
	plainTypes      = U64
	lastSafetensors = C64
)

// kind is the arithmetic that a dtype's elements follow.
type kind uint8

const (
	boolKind kind = iota
	floatKind
	signedKind
	unsignedKind
	foreignKind // none that is known here
)

// dtypes is the table of all that is known of dtypes.
var dtypes = [...]codec{
	Bool: boolean, U8: u8, I8: i8, I16: i16, U16: u16, I32: i32, U32: u32, I64: i64, U64: u64,
	F16: f16, BF16: bf16, F32: f32, F64: f64,
	F4:          foreign("F4", 2, 1, ""),
	F6_E2M3:     foreign("F6_E2M3", 4, 3, ""),
	F6_E3M2:     foreign("F6_E3M2", 4, 3, ""),
	F8_E5M2:     foreign("F8_E5M2", 1, 1, "float8_e5m2"),
	F8_E4M3:     foreign("F8_E4M3", 1, 1, "float8_e4m3fn"),
	F8_E8M0:     foreign("F8_E8M0", 1, 1, "float8_e8m0fnu"),
	F8_E4M3FNUZ: foreign("F8_E4M3FNUZ", 1, 1, "float8_e4m3fnuz"),
	F8_E5M2FNUZ: foreign("F8_E5M2FNUZ", 1, 1, "float8_e5m2fnuz"),
	C64:         foreign("C64", 1, 8, "complex64"),
	C32:         foreign("C32", 1, 4, "complex32"),
	C128:        foreign("C128", 1, 16, "complex128"),
	F4x2:        foreign("F4X2", 1, 1, "float4_e2m1fn_x2"),
	QInt8:       foreign("QINT8", 1, 1, "qint8"),
	QUInt8:      foreign("QUINT8", 1, 1, "quint8"),
	QInt32:      foreign("QINT32", 1, 4, "qint32"),
	QUInt4x2:    foreign("QUINT4X2", 2, 1, "quint4x2"),
	QUInt2x4:    foreign("QUINT2X4", 4, 1, "quint2x4"),
	Q8_0:        q8_0,
	Q4_0:        q4_0, Q4_1: q4_1, Q5_0: q5_0, Q5_1: q5_1,
	Q2_K: q2_k, Q3_K: q3_k, Q4_K: q4_k, Q5_K: q5_k, Q6_K: q6_k,
	IQ4_NL: iq4_nl, IQ4_XS: iq4_xs, IQ3_S: iq3_s, IQ3_XXS: iq3_xxs, IQ2_S: iq2_s, IQ2_XS: iq2_xs, IQ2_XXS: iq2_xxs,
	IQ1_M: iq1_m, IQ1_S: iq1_s, TQ2_0: tq2_0, TQ1_0: tq1_0, MXFP4: mxfp4, NVFP4: nvfp4, Q2_0: q2_0, Q1_0: q1_0,
	Coded: coded,
}

// foreign is the codec of a dtype whose size is all that is known.
func foreign(name string, elems, bytes int, torch string) codec {
	return codec{name: name, elems: elems, bytes: bytes, kind: foreignKind, torch: torch, ggml: notInGGML}
}

// DTypes yields every dtype that a file may have.
func DTypes() iter.Seq[DType] {
	return func(yield func(DType) bool) {
		for d := Bool; d < Coded && yield(d); d++ {
		}
	}
}

// Floats returns the dtypes that weights may have in a file, the most common first.
func Floats() []DType {
	floats := []DType{F32}
	for d := range DTypes() {
		if d.Float() && d != F32 {
			floats = append(floats, d)
		}
	}
	return floats
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
	return dtypes[d].bytes
}

// Block returns how many elements are stored together, 1 for a plain dtype, and the bytes they take.
// It panics when d is not Valid.
func (d DType) Block() (elems, bytes int) {
	if !d.Valid() {
		panic(fmt.Sprintf("tensor: block of invalid dtype %d", uint8(d)))
	}
	return dtypes[d].elems, dtypes[d].bytes
}

// Bytes returns the bytes that n elements take, which is also the offset of element n.
// It panics when d is not Valid or n is not a number of whole blocks.
func (d DType) Bytes(n int) int {
	elems, bytes := d.Block()
	if n%elems != 0 {
		panic(fmt.Sprintf("tensor: %d elements are not whole blocks of %s", n, d))
	}
	return n / elems * bytes
}

// String returns the name that safetensors files use, such as "F32" or "BOOL"; for quantized dtypes ggml's name, and for those
// that only PyTorch has a name in the same style.
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// MarshalText implements encoding.TextMarshaler: the name that String gives.
func (d DType) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Float reports whether weights can have dtype d: F64, F32, F16, BF16 or a quantized dtype.
func (d DType) Float() bool { return d.Valid() && dtypes[d].kind == floatKind }

// Integer reports whether d is a signed or unsigned integer; Bool is not.
func (d DType) Integer() bool {
	return d.Valid() && (dtypes[d].kind == signedKind || dtypes[d].kind == unsignedKind)
}

// Quantized reports whether d stores floats as codes that share a scale.
func (d DType) Quantized() bool { return d == Coded || d.Float() && dtypes[d].elems > 1 }

// Torch returns PyTorch's name of d, such as "bfloat16", which config.json uses too. It is empty if PyTorch does not have it.
func (d DType) Torch() string {
	if !d.Valid() {
		return ""
	}
	return dtypes[d].torch
}

// GGML returns the number of d in GGUF files (enum ggml_type). ok is false if GGUF does not have it.
func (d DType) GGML() (number uint32, ok bool) {
	if !d.Valid() || dtypes[d].ggml == notInGGML {
		return 0, false
	}
	return uint32(dtypes[d].ggml), true
}

// Range returns the largest finite magnitude that d can hold, and the smallest that overflows it. ok is false if d has the
// range of float32.
func (d DType) Range() (largest, overflow float64, ok bool) {
	if !d.Float() || dtypes[d].overflow == 0 {
		return 0, 0, false
	}
	return dtypes[d].largest, dtypes[d].overflow, true
}

// ParseDType returns the dtype with a given name, as String returns it. Case matters, as in safetensors files.
func ParseDType(s string) (DType, bool) {
	for d := Bool; d <= lastSafetensors; d++ {
		if dtypes[d].name == s {
			return d, true
		}
	}
	return 0, false
}
