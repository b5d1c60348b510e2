package gguf

import (
	"fmt"
	"math/bits"

	"github.com/gomamba/gomamba/tensor"
)

// Type is the type of a tensor's elements by its number in the file (enum ggml_type of ggml.h).
type Type uint32

// types lists what ggml defines: name, elements of a block, bytes of a block (ggml.c, type_traits; ggml-common.h).
// What package tensor has is added from its table; the data of others can be listed and copied, and nothing more.
// For Q8_1, which no file holds, gguf-py has 40 bytes; ggml's own struct has 36.
var types = withDTypes([43]traits{
	9: {"Q8_1", 32, 36}, 15: {"Q8_K", 256, 292},
})

// traits are how a type is stored.
type traits struct {
	name         string
	block, bytes int
}

// withDTypes adds the dtypes of package tensor to a table of types.
func withDTypes(types [43]traits) [43]traits {
	for d := range tensor.DTypes() {
		if number, ok := d.GGML(); ok {
			block, bytes := d.Block()
			types[number] = traits{d.String(), block, bytes}
		}
	}
	return types
}

// removed names the types that ggml once had; their numbers are not given out again. Those of later years are blocks of
// another type in an order for one kind of CPU, which llama.cpp gives them when it loads a file since then.
var removed = map[Type]struct{ name, blocks string }{
	4: {"Q4_2", ""}, 5: {"Q4_3", ""},
	31: {"Q4_0_4_4", "Q4_0"}, 32: {"Q4_0_4_8", "Q4_0"}, 33: {"Q4_0_8_8", "Q4_0"},
	36: {"IQ4_NL_4_4", "IQ4_NL"}, 37: {"IQ4_NL_4_8", "IQ4_NL"}, 38: {"IQ4_NL_8_8", "IQ4_NL"},
}

// Known reports whether t is a type of ggml, so that the size of its data is known.
func (t Type) Known() bool { return uint64(t) < uint64(len(types)) && types[t].block > 0 }

// String returns ggml's name of the type in capitals, such as "F32" or "Q4_K".
func (t Type) String() string {
	if t.Known() {
		return types[t].name
	}
	return fmt.Sprintf("Type(%d)", uint32(t))
}

// Block returns the number of elements that are stored together, 1 for plain types, and the bytes they take.
// It panics when t is not Known.
func (t Type) Block() (elems, bytes int) {
	if !t.Known() {
		panic(fmt.Sprintf("gguf: block of unknown type %d", uint32(t)))
	}
	return types[t].block, types[t].bytes
}

// DType returns the dtype that stores the same bytes. ok is false for the block types that package tensor does not have.
func (t Type) DType() (dt tensor.DType, ok bool) {
	for dt := range tensor.DTypes() {
		if number, ok := dt.GGML(); ok && Type(number) == t {
			return dt, true
		}
	}
	return 0, false
}

// TypeOf returns the type that stores the bytes of dt as they are. ok is false for dtypes that GGUF does not have:
// unsigned integers and booleans.
func TypeOf(dt tensor.DType) (t Type, ok bool) {
	number, ok := dt.GGML()
	return Type(number), ok
}

// ByteCount returns the bytes that a tensor of this type and PyTorch shape takes. ok is false when that exceeds an
// int, or the last dimension is not a whole number of blocks. It panics when t is not Known.
func (t Type) ByteCount(shape []int) (n int, ok bool) {
	block, size := t.Block()
	elems, ok := tensor.Count(shape)
	if !ok || len(shape) == 0 && block > 1 || len(shape) > 0 && shape[len(shape)-1]%block != 0 {
		return 0, false
	}
	hi, lo := bits.Mul(uint(elems/block), uint(size))
	if hi != 0 || int(lo) < 0 {
		return 0, false
	}
	return int(lo), true
}
