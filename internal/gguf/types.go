package gguf

import (
	"fmt"
	"math/bits"

	"github.com/gomamba/gomamba/tensor"
)

// Type is the type of a tensor's elements by its number in the file (enum ggml_type of ggml.h).
type Type uint32

// The types whose data this program uses. Others that Known reports can be listed and copied.
const (
	F32  Type = 0
	F16  Type = 1
	Q8_0 Type = 8 // blocks of 32 elements, see tensor.QuantizeQ8_0
	I8   Type = 24
	I16  Type = 25
	I32  Type = 26
	I64  Type = 27
	F64  Type = 28
	BF16 Type = 30
)

// types lists what ggml defines: name, elements of a block, bytes of a block (ggml.c, type_traits; ggml-common.h).
// For Q8_1, which no file holds, gguf-py has 40 bytes; ggml's own struct has 36.
var types = [...]struct {
	name         string
	block, bytes int
}{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, BF16: {"BF16", 1, 2}, F64: {"F64", 1, 8},
	I8: {"I8", 1, 1}, I16: {"I16", 1, 2}, I32: {"I32", 1, 4}, I64: {"I64", 1, 8},
	2: {"Q4_0", 32, 18}, 3: {"Q4_1", 32, 20}, 6: {"Q5_0", 32, 22}, 7: {"Q5_1", 32, 24},
	Q8_0: {"Q8_0", 32, 34}, 9: {"Q8_1", 32, 36},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, 12: {"Q4_K", 256, 144}, 13: {"Q5_K", 256, 176},
	14: {"Q6_K", 256, 210}, 15: {"Q8_K", 256, 292},
	16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98}, 19: {"IQ1_S", 256, 50},
	20: {"IQ4_NL", 32, 18}, 21: {"IQ3_S", 256, 110}, 22: {"IQ2_S", 256, 82}, 23: {"IQ4_XS", 256, 136},
	29: {"IQ1_M", 256, 56}, 34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66},
	39: {"MXFP4", 32, 17}, 40: {"NVFP4", 64, 36}, 41: {"Q1_0", 128, 18}, 42: {"Q2_0", 64, 18},
}

// removed names the types that ggml once had; their numbers are not given out again.
var removed = map[Type]string{
	4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}

// dtypes pairs types with the dtypes of package tensor that store the same bytes.
var dtypes = [...]struct {
	t  Type
	dt tensor.DType
}{
	{F32, tensor.F32}, {F16, tensor.F16}, {BF16, tensor.BF16}, {F64, tensor.F64},
	{I8, tensor.I8}, {I16, tensor.I16}, {I32, tensor.I32}, {I64, tensor.I64},
	{Q8_0, tensor.Q8_0},
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

// DType returns the dtype that stores the same bytes. ok is false for the block types other than Q8_0.
func (t Type) DType() (dt tensor.DType, ok bool) {
	for _, p := range dtypes {
		if p.t == t {
			return p.dt, true
		}
	}
	return 0, false
}

// TypeOf returns the type that stores the bytes of dt as they are. ok is false for dtypes that GGUF does not have:
// unsigned integers and booleans.
func TypeOf(dt tensor.DType) (t Type, ok bool) {
	for _, p := range dtypes {
		if p.dt == dt {
			return p.t, true
		}
	}
	return 0, false
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
