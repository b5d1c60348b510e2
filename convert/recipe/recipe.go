// Package recipe names what weights can be converted to: which tensor gets which dtype.
package recipe

import (
	"strings"

	"github.com/gomamba/gomamba/internal/filetype"
	"github.com/gomamba/gomamba/internal/quantize"
	"github.com/gomamba/gomamba/tensor"
)

// Recipe says which dtype each tensor gets. The zero Recipe leaves each its own.
type Recipe struct {
	name  string
	dtype tensor.DType   // of the weights that no rule of the file type names
	file  *filetype.Type // of GGUF files; nil: llama.cpp has none
}

// All lists the recipes that can be asked for by name: those of one plain dtype, then llama-quantize's.
func All() []Recipe {
	all := []Recipe{of(filetype.Of(tensor.F32)), of(filetype.Of(tensor.F16)), of(filetype.Of(tensor.BF16)), {name: "f64", dtype: tensor.F64}}
	for _, f := range filetype.All {
		if quantize.Supports(f.Weights()) {
			all = append(all, of(f))
		}
	}
	return all
}

// of returns the recipe of a file type.
func of(f *filetype.Type) Recipe { return Recipe{f.Name, f.Weights(), f} }

// Parse returns the recipe of that name, one of llama-quantize's or what PyTorch or other tools have for a plain dtype, such as
// bfloat16 or fp32. Case does not matter.
func Parse(name string) (r Recipe, ok bool) {
	if name = strings.ToLower(name); name == "" { // as PyTorch calls what it does not have
		return Recipe{}, false
	}
	for _, r := range All() {
		if name == r.name || name == r.dtype.Torch() || r.name[0] == 'f' && name == "fp"+r.name[1:] {
			return r, true
		}
	}
	if f, ok := filetype.Parse(name); ok {
		return of(f), true
	}
	return Recipe{}, false
}

// Of returns the recipe for files of mostly dtype d, the richest if there are several.
func Of(d tensor.DType) Recipe {
	if f := filetype.Of(d); f != nil {
		return Recipe{f.Name, d, f}
	}
	if d == 0 {
		return Recipe{}
	}
	return Recipe{name: strings.ToLower(d.String()), dtype: d}
}

// String returns the recipe's name.
func (r Recipe) String() string { return r.name }

// DType returns the dtype of most of the weights; 0 if each keeps its own.
func (r Recipe) DType() tensor.DType { return r.dtype }

// Quantizes reports whether the recipe is for blocks, which only GGUF files hold.
func (r Recipe) Quantizes() bool { return r.dtype.Quantized() }

// FileType returns general.file_type of a GGUF file (llama.h, llama_ftype). ok is false for what llama.cpp does not have.
func (r Recipe) FileType() (number uint32, ok bool) {
	if r.file == nil {
		return 0, false
	}
	return r.file.Number, true
}

// Keeps reports whether each tensor keeps its own dtype.
func (r Recipe) Keeps() bool { return r.dtype == 0 }

// Choose returns the dtype of a weight that is stored as dtype stored, in a layout without blocks.
func (r Recipe) Choose(stored tensor.DType) tensor.DType {
	if r.Keeps() {
		return stored
	}
	return r.dtype
}
