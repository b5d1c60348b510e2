package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// Kind is the kind of a value by its number in the file (enum gguf_type of gguf.h).
type Kind uint32

// The kinds of values.
const (
	KindU8 Kind = iota
	KindI8
	KindU16
	KindI16
	KindU32
	KindI32
	KindF32
	KindBool
	KindString
	KindArray
	KindU64
	KindI64
	KindF64
)

var kinds = [...]struct {
	name string // as llama.cpp prints it
	size int    // bytes; 0 when it varies
}{
	KindU8: {"u8", 1}, KindI8: {"i8", 1}, KindU16: {"u16", 2}, KindI16: {"i16", 2}, KindU32: {"u32", 4}, KindI32: {"i32", 4},
	KindF32: {"f32", 4}, KindBool: {"bool", 1}, KindString: {"str", 0}, KindArray: {"arr", 0},
	KindU64: {"u64", 8}, KindI64: {"i64", 8}, KindF64: {"f64", 8},
}

func (k Kind) valid() bool { return uint64(k) < uint64(len(kinds)) }

// String returns llama.cpp's name of the kind, such as "u32" or "str".
func (k Kind) String() string {
	if !k.valid() {
		return fmt.Sprintf("Kind(%d)", uint32(k))
	}
	return kinds[k].name
}

func (k Kind) unsigned() bool { return k == KindU8 || k == KindU16 || k == KindU32 || k == KindU64 }
func (k Kind) signed() bool   { return k == KindI8 || k == KindI16 || k == KindI32 || k == KindI64 }
func (k Kind) float() bool    { return k == KindF32 || k == KindF64 }

// KV is a key and its value.
type KV struct {
	Key   string
	Value Value
}

// Find returns the value of a key in a list.
func Find(kvs []KV, key string) (v Value, ok bool) {
	for _, kv := range kvs {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return v, false
}

// Value is one value of a file: a number, a bool, a string, or an array of one of these. It is decoded when asked
// for; a value from a File is a view of the file's bytes until then and must not be used after Close.
// The zero Value is none of these and cannot be written.
type Value struct {
	data []byte // as in the file, without the length of a string and without kind and number of an array
	n    int    // elements of an array
	kind Kind
	elem Kind // of an array's elements
}

// Scalar is a Go type that values are made of, one for each kind.
type Scalar interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64 | bool | string
}

// kindOf returns the kind of a Go type.
func kindOf[T Scalar]() Kind {
	var zero T
	switch any(zero).(type) {
	case uint8:
		return KindU8
	case int8:
		return KindI8
	case uint16:
		return KindU16
	case int16:
		return KindI16
	case uint32:
		return KindU32
	case int32:
		return KindI32
	case uint64:
		return KindU64
	case int64:
		return KindI64
	case float32:
		return KindF32
	case float64:
		return KindF64
	case bool:
		return KindBool
	default:
		return KindString
	}
}

// Of returns x as a value of the kind of its type: Of(uint32(4)) is a u32.
func Of[T Scalar](x T) Value {
	v := Value{kind: kindOf[T]()}
	if s, ok := any(x).(string); ok {
		v.data = []byte(s)
		return v
	}
	v.data = encode(x)
	return v
}

// ArrayOf returns the elements of x as an array.
func ArrayOf[T Scalar](x []T) Value {
	v := Value{kind: KindArray, elem: kindOf[T](), n: len(x)}
	strings, ok := any(x).([]string)
	if !ok {
		v.data = encode(x)
		return v
	}
	size := 0
	for _, s := range strings {
		size += 8 + len(s)
	}
	v.data = make([]byte, 0, size)
	for _, s := range strings {
		v.data = appendString(v.data, s)
	}
	return v
}

// encode returns the little-endian bytes of a number, a bool, or a slice of them.
func encode(x any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err) // Scalar has no type without a fixed size besides string
	}
	return b
}

func appendString(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(dst, uint64(len(s))), s...)
}

// Kind returns the kind of the value.
func (v Value) Kind() Kind { return v.kind }

// Len returns the number of an array's elements, the bytes of a string, and 1 for anything else.
func (v Value) Len() int {
	switch v.kind {
	case KindArray:
		return v.n
	case KindString:
		return len(v.data)
	default:
		return 1
	}
}

// Equal reports whether both values are of the same kind and have the same bytes.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.elem == w.elem && v.n == w.n && bytes.Equal(v.data, w.data)
}

// whole reports whether the value is one that Of or ArrayOf made or a reader accepted.
func (v Value) whole() bool {
	switch v.kind {
	case KindString, KindArray:
		return true
	default:
		return len(v.data) == kinds[v.kind].size
	}
}

// describe names the kind of a value for messages.
func (v Value) describe() string {
	if v.kind == KindArray {
		return fmt.Sprintf("an array of %d %s", v.n, v.elem)
	}
	return "of kind " + v.kind.String()
}

// What the methods below and the getters of File expect, for messages.
const (
	wantInt     = "an integer"
	wantUint    = "a non-negative integer"
	wantFloat   = "a float (f32 or f64)"
	wantBool    = "a bool"
	wantString  = "a string"
	wantInts    = "an array of integers"
	wantFloats  = "an array of floats"
	wantBools   = "an array of bools"
	wantStrings = "an array of strings"
)

// Clone returns a copy that does not depend on the file.
func (v Value) Clone() Value {
	v.data = bytes.Clone(v.data)
	return v
}

func (v Value) not(want string) error { return fmt.Errorf("is %s, expected %s", v.describe(), want) }

// load returns the bits of a number of kind k, sign-extended when it is signed.
func load(k Kind, b []byte) uint64 {
	u := uint64(0)
	for i, x := range b[:kinds[k].size] {
		u |= uint64(x) << (8 * i)
	}
	if shift := 64 - 8*kinds[k].size; k.signed() {
		return uint64(int64(u<<shift) >> shift)
	}
	return u
}

// Int returns an integer of any width.
func (v Value) Int() (int64, error) {
	if !v.kind.signed() && !v.kind.unsigned() {
		return 0, v.not(wantInt)
	}
	u := load(v.kind, v.data)
	if v.kind == KindU64 && u > math.MaxInt64 {
		return 0, fmt.Errorf("is %d, expected at most %d", u, int64(math.MaxInt64))
	}
	return int64(u), nil
}

// Uint returns a non-negative integer of any width, signed or not.
func (v Value) Uint() (uint64, error) {
	if !v.kind.signed() && !v.kind.unsigned() {
		return 0, v.not(wantUint)
	}
	u := load(v.kind, v.data)
	if v.kind.signed() && int64(u) < 0 {
		return 0, fmt.Errorf("is %d, expected %s", int64(u), wantUint)
	}
	return u, nil
}

// Float returns an f32 or f64; an f32 is widened exactly.
func (v Value) Float() (float64, error) {
	if !v.kind.float() {
		return 0, v.not(wantFloat)
	}
	return loadFloat(v.kind, v.data), nil
}

func loadFloat(k Kind, b []byte) float64 {
	if u := load(k, b); k == KindF32 {
		return float64(math.Float32frombits(uint32(u)))
	} else {
		return math.Float64frombits(u)
	}
}

// Bool returns a bool.
func (v Value) Bool() (bool, error) {
	if v.kind != KindBool {
		return false, v.not(wantBool)
	}
	return v.data[0] != 0, nil
}

// Str returns a copy of a string. Its bytes are UTF-8 only if the writer kept to the format.
func (v Value) Str() (string, error) {
	if v.kind != KindString {
		return "", v.not(wantString)
	}
	return string(v.data), nil
}
