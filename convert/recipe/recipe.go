// Package recipe names what weights can be converted to: which tensor gets which dtype.
package recipe

import (
	"slices"
	"strings"

	"github.com/gomamba/gomamba/tensor"
)

// Recipe says which dtype each tensor gets. The zero Recipe leaves each its own.
type Recipe struct {
	name string
	// chain are the dtypes of the weights, best first: a tensor gets the first of which its rows are whole blocks. What a
	// layout Keeps in F32, as GGUF does small tensors, is not asked for.
	chain    []tensor.DType
	fileType int // general.file_type of a GGUF file (llama.h, llama_ftype); -1: llama.cpp has none
}

// recipes are those that can be asked for. That of a dtype has its name in lower case.
var recipes = []Recipe{
	{"f32", []tensor.DType{tensor.F32}, 0},
	{"f16", []tensor.DType{tensor.F16}, 1},
	{"bf16", []tensor.DType{tensor.BF16}, 32},
	{"f64", []tensor.DType{tensor.F64}, -1},
	{"q8_0", []tensor.DType{tensor.Q8_0, tensor.F16}, 7},
	{"q4_0", []tensor.DType{tensor.Q4_0, tensor.F16}, 2},
}

// All lists the recipes that can be asked for by name.
func All() []Recipe { return slices.Clone(recipes) }

// Parse returns the recipe of that name, or of the name that PyTorch or other tools have for its dtype, such as
// bfloat16 or fp32. Case does not matter.
func Parse(name string) (r Recipe, ok bool) {
	name = strings.ToLower(name)
	for _, r := range recipes {
		if name == r.name || name == r.DType().Torch() || r.name[0] == 'f' && name == "fp"+r.name[1:] {
			return r, true
		}
	}
	return Recipe{}, false
}

// Of returns the recipe that gives all weights dtype d.
func Of(d tensor.DType) Recipe {
	for _, r := range recipes {
		if r.DType() == d {
			return r
		}
	}
	if d == 0 {
		return Recipe{}
	}
	return Recipe{d.String(), []tensor.DType{d}, -1}
}

// String returns the recipe's name.
func (r Recipe) String() string { return r.name }

// DType returns the dtype of the weights, as far as their rows are whole blocks; 0 if each keeps its own.
func (r Recipe) DType() tensor.DType {
	if r.Keeps() {
		return 0
	}
	return r.chain[0]
}

// Quantizes reports whether the recipe is for blocks, which only GGUF files hold.
func (r Recipe) Quantizes() bool { return r.DType().Quantized() }

// FileType returns general.file_type of a GGUF file (llama.h, llama_ftype). ok is false for what llama.cpp does not have.
func (r Recipe) FileType() (t uint32, ok bool) {
	return uint32(r.fileType), !r.Keeps() && r.fileType >= 0
}

// Chain returns the dtypes of the weights, best first: a tensor gets the first of which its rows are whole blocks.
func (r Recipe) Chain() []tensor.DType { return slices.Clone(r.chain) }

// Keeps reports whether each tensor keeps its own dtype.
func (r Recipe) Keeps() bool { return len(r.chain) == 0 }

// Choose returns the dtype of a tensor that is stored as dtype stored and will have that shape.
func (r Recipe) Choose(stored tensor.DType, shape []int) tensor.DType {
	if r.Keeps() {
		r = Of(stored)
	}
	for _, d := range r.chain {
		if _, ok := tensor.ByteCount(d, shape); ok {
			return d
		}
	}
	return stored
}
