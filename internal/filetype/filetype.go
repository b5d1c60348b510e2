// Package filetype says which dtype llama-quantize gives each tensor of a GGUF file: the rules of llama.cpp's llama-quant.cpp for
// models with Mamba blocks, alone or between attention, MLPs and experts.
package filetype

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// Parse returns the file type of one of llama-quantize's names; case does not matter.
func Parse(name string) (*Type, bool) {
	name = strings.ToLower(name)
	name = cmp.Or(aliases[name], name)
	for _, f := range All {
		if f.Name == name {
			return f, true
		}
	}
	return nil, false
}

// Of returns the file type for files of mostly dtype d, the richest if there are several; nil if there is none.
func Of(d tensor.DType) *Type {
	if f, ok := Parse(d.String()); ok && f.weights == d {
		return f
	}
	for _, f := range All {
		if f.weights == d || slices.ContainsFunc(f.rules, func(r rule) bool { return r.role == anyRole && r.dtype == d }) {
			return f
		}
	}
	return nil
}

// Numbered returns the file type that general.file_type of a GGUF file has this number for.
func Numbered(n uint32) (*Type, bool) {
	for _, f := range All {
		if uint32(f.Number) == n {
			return f, true
		}
	}
	return nil, false
}

// Title returns the name as it is written in the names of files, such as Q4_K_M.
func (f *Type) Title() string { return strings.ToUpper(f.Name) }

// Weights returns the dtype of the matrices that no rule is for.
func (f *Type) Weights() tensor.DType { return f.weights }

// Model is what the rules ask of a model, beside the names and shapes of its tensors.
type Model struct {
	Blocks  int
	GQA     int // heads that share keys and values in block 0; 0 if that is not attention
	Experts int
}

// Tensor is a tensor by its name and shape in a GGUF file, the outermost dimension first.
type Tensor struct {
	Name  string
	Shape []int
}

// Override gives the tensors whose names a pattern matches a dtype, before all rules.
type Override struct {
	Pattern *regexp.Regexp
	DType   tensor.DType
}

// AnyCase is what a pattern of an Override begins with if case does not matter. Messages leave it out.
const AnyCase = "(?i)"

// String returns the pattern as it was given.
func (o Override) String() string { return strings.TrimPrefix(o.Pattern.String(), AnyCase) }

// Choice is the dtype of a tensor.
type Choice struct {
	DType tensor.DType // 0: that of the source, as for everything that is not a matrix of weights
	// Fallback is what the rules have for it, if its rows are not whole blocks of that; else 0.
	Fallback tensor.DType
	// Importance says that without an importance matrix for the tensor the result is useless: llama-quantize refuses it.
	Importance bool
}

// Assign returns the dtype of each tensor. f may be nil: then only overrides decide, and the rest keeps its own. importance says
// that an importance matrix is given. The error names the tensor that no dtype fits.
//
// Rules that speak of the i-th of n matrices count as llama-quantize does, in the order of blocks and, within a block, of
// names. Of attention values, n is their number. Of MLPs it is the number of all blocks, with and without MLP; and if there
// are experts, i is the number of the block.
func (f *Type) Assign(m Model, tensors []Tensor, importance bool, overrides []Override) ([]Choice, error) {
	choices := make([]Choice, len(tensors))
	tied := !slices.ContainsFunc(tensors, func(t Tensor) bool { return t.Name == outputName })
	count := counter{}
	for _, t := range tensors {
		if roleOf(t.Name) == attnValue {
			count.values++
		}
	}
	for _, i := range fileOrder(tensors) {
		t := tensors[i]
		if !Quantizable(t.Name, t.Shape) {
			continue
		}
		want, overridden := tensor.DType(0), false
		for _, o := range overrides {
			if overridden = o.Pattern.MatchString(t.Name); overridden {
				want = o.DType
				break
			}
		}
		if f != nil && !overridden {
			want = f.want(m, t, tied, importance, &count)
		}
		if want == 0 {
			continue
		}
		c, ok := fit(want, t.Shape)
		if !ok {
			block, _ := want.Block()
			return nil, fmt.Errorf("%s: rows of %d are not whole blocks of %s, which have %d, and nothing takes its place; choose another dtype",
				badfile.Tensor(t.Name), t.Shape[len(t.Shape)-1], want, block)
		}
		c.Importance = f.needsImportance(t.Name, c.DType)
		choices[i] = c
	}
	return choices, nil
}

// want returns the dtype that the rules have for a matrix.
func (f *Type) want(m Model, t Tensor, tied, importance bool, count *counter) tensor.DType {
	r := roleOf(t.Name)
	switch {
	case f.head == 0:
		return f.weights
	case r == output || r == embedding && tied:
		if block, _ := f.weights.Block(); t.Shape[len(t.Shape)-1]%block != 0 {
			return tensor.Q8_0
		}
		return f.head
	case r == embedding && f.embedding != 0:
		return f.embedding
	}
	for _, rule := range f.rules {
		if rule.role.covers(r) {
			p := place{Model: m, stacked: len(t.Shape) > 2 && t.Shape[0] > 1, importance: importance}
			if p.i, p.n = count.place(m, rule.role, t.Name); rule.holds(p) {
				count.passed(r)
				return rule.dtype
			}
		}
	}
	count.passed(r)
	return f.weights
}

// counter counts the matrices of each role that were passed.
type counter struct {
	values int // attention values of the model
	before [roles]int
}

func (c *counter) passed(r role) { c.before[r]++ }

// place returns which of how many matrices the next one of a role is.
func (c *counter) place(m Model, r role, name string) (i, n int) {
	switch r {
	case attnValue:
		return c.before[attnValue], c.values
	case ffnDownCounted:
		return c.before[ffnDown], m.Blocks
	case ffnUp, ffnGate, ffnDown:
		if block, ok := blockOf(name); ok && m.Experts > 1 {
			return block, m.Blocks
		}
		return c.before[r], m.Blocks
	}
	return 0, 0
}

// fit returns want, or what takes its place if the rows of a matrix are not whole blocks of it.
func fit(want tensor.DType, shape []int) (c Choice, ok bool) {
	whole := func(d tensor.DType) bool {
		block, _ := d.Block()
		return shape[len(shape)-1]%block == 0
	}
	if whole(want) {
		return Choice{DType: want}, true
	}
	d, ok := fallbacks[want]
	if ok && !whole(d) {
		d = tensor.F16
	}
	return Choice{DType: d, Fallback: want}, ok
}

// needsImportance reports whether d is useless for the tensor of that name without an importance matrix.
func (f *Type) needsImportance(name string, d tensor.DType) bool {
	if r := roleOf(name); r == output || r == embedding {
		return false
	}
	switch d {
	case tensor.IQ3_XXS, tensor.IQ2_XXS, tensor.IQ2_XS, tensor.IQ2_S, tensor.IQ1_M, tensor.IQ1_S:
		return true
	case tensor.Q2_K:
		return f != nil && f.Name == "q2_k_s"
	}
	return false
}

// Quantizable reports whether a tensor is a matrix of weights, of which file types speak.
func Quantizable(name string, shape []int) bool {
	if len(shape) < 2 || !strings.HasSuffix(name, "weight") {
		return false
	}
	for _, kept := range []string{"_norm.weight", "ssm_conv1d", "ffn_gate_inp.weight"} {
		if strings.Contains(name, kept) {
			return false
		}
	}
	return true
}

// fileOrder returns the order in which llama.cpp goes through tensors: what is in no block by name, then block after block.
func fileOrder(tensors []Tensor) []int {
	order := make([]int, len(tensors))
	for i := range order {
		order[i] = i
	}
	block := func(i int) int {
		if n, ok := blockOf(tensors[i].Name); ok {
			return n
		}
		return -1
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(block(a), block(b)), cmp.Compare(tensors[a].Name, tensors[b].Name))
	})
	return order
}

// blockOf returns the block of a tensor.
func blockOf(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, "blk.")
	number, _, found := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	return n, ok && found && err == nil
}
