package filetype

import "github.com/gomamba/gomamba/tensor"

// Type is one of llama-quantize's file types: the dtypes of a file under one name.
type Type struct {
	Name   string
	Number uint32 // general.file_type of a GGUF file (llama.h, llama_ftype)

	weights   tensor.DType // of what no rule is for
	head      tensor.DType // of the output, and of an embedding that is the output too
	embedding tensor.DType // of one that is not, if that is not weights
	rules     []rule       // the first that holds decides
}

// rule gives matrices of one role a dtype, in the places for which it holds.
type rule struct {
	role  role
	holds func(place) bool
	dtype tensor.DType
}

// place is where a matrix stands in a model.
type place struct {
	Model
	i, n       int  // the i-th of n; see Type.Assign for what is counted
	stacked    bool // a matrix for each expert
	importance bool // an importance matrix is given
}

func always(place) bool            { return true }
func stacked(p place) bool         { return p.stacked }
func first(n int) func(place) bool { return func(p place) bool { return p.i < n } }
func firstPart(of int) func(place) bool {
	return func(p place) bool { return p.i < p.n/of }
}
func middle(p place) bool     { return p.i >= p.n/8 && p.i < 7*p.n/8 }
func moreBits(p place) bool   { return !middle(p) || (p.i-p.n/8)%3 == 2 }
func shared(p place) bool     { return p.GQA >= 4 } // four or more heads share keys and values
func eight(p place) bool      { return p.Experts == 8 }
func unmeasured(p place) bool { return !p.importance }
func measured(p place) bool   { return p.importance }

func not(a func(place) bool) func(place) bool { return func(p place) bool { return !a(p) } }
func both(a, b func(place) bool) func(place) bool {
	return func(p place) bool { return a(p) && b(p) }
}
func either(a, b func(place) bool) func(place) bool {
	return func(p place) bool { return a(p) || b(p) }
}

// The rules that file types of four bits and more share: models of eight experts (Mixtral) have small keys and values.
var (
	values8 = rule{attnValue, eight, tensor.Q8_0}
	keys8   = rule{attnKey, eight, tensor.Q8_0}
	output8 = rule{attnOutput, eight, tensor.Q5_K}
	plain   = []rule{values8, keys8}
)

// smallest are the rules of the file types below three bits; better is what the most sensitive matrices get.
func smallest(better tensor.DType, more ...rule) []rule {
	return append([]rule{
		{attnValue, either(shared, func(p place) bool { return p.Experts >= 4 }), tensor.Q4_K},
		{attnValue, always, better},
		{attnKey, eight, tensor.Q4_K},
		{ffnDownCounted, firstPart(8), better},
		output8,
	}, more...)
}

// All are llama-quantize's. A file type of one dtype in all places has no rules; what a matrix gets if its rows are not
// whole blocks is in fallbacks. That is llama_tensor_get_type of llama.cpp (llama-quant.cpp) as a table.
var All = []*Type{
	{Name: "f32", Number: 0, weights: tensor.F32},
	{Name: "f16", Number: 1, weights: tensor.F16},
	{Name: "bf16", Number: 32, weights: tensor.BF16},
	{Name: "q8_0", Number: 7, weights: tensor.Q8_0, head: tensor.Q8_0, rules: plain},
	{Name: "q6_k", Number: 18, weights: tensor.Q6_K, head: tensor.Q6_K, rules: plain},
	{Name: "q5_k_m", Number: 17, weights: tensor.Q5_K, head: tensor.Q6_K, rules: []rule{
		values8, keys8,
		{attnValue, moreBits, tensor.Q6_K},
		{ffnDown, moreBits, tensor.Q6_K},
	}},
	{Name: "q5_k_s", Number: 16, weights: tensor.Q5_K, head: tensor.Q6_K, rules: plain},
	{Name: "q5_1", Number: 9, weights: tensor.Q5_1, head: tensor.Q6_K, rules: plain},
	{Name: "q5_0", Number: 8, weights: tensor.Q5_0, head: tensor.Q6_K, rules: []rule{
		values8, keys8,
		{ffnDown, both(measured, firstPart(8)), tensor.Q5_1},
	}},
	{Name: "q4_k_m", Number: 15, weights: tensor.Q4_K, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, moreBits, tensor.Q6_K},
		{ffnDown, moreBits, tensor.Q6_K},
	}},
	{Name: "q4_k_s", Number: 14, weights: tensor.Q4_K, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, first(4), tensor.Q5_K},
		{ffnDown, firstPart(8), tensor.Q5_K},
	}},
	{Name: "iq4_nl", Number: 25, weights: tensor.IQ4_NL, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, shared, tensor.Q5_K},
		{ffnDown, both(unmeasured, firstPart(8)), tensor.Q5_K},
	}},
	{Name: "iq4_xs", Number: 30, weights: tensor.IQ4_XS, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, shared, tensor.Q5_K},
		{ffnDown, both(unmeasured, firstPart(8)), tensor.Q5_K},
	}},
	{Name: "q4_1", Number: 3, weights: tensor.Q4_1, head: tensor.Q6_K, rules: plain},
	{Name: "q4_0", Number: 2, weights: tensor.Q4_0, head: tensor.Q6_K, rules: []rule{
		values8, keys8,
		{ffnDown, both(measured, firstPart(8)), tensor.Q4_1},
	}},
	{Name: "q3_k_l", Number: 13, weights: tensor.Q3_K, head: tensor.Q6_K, rules: []rule{
		values8, keys8,
		{attnValue, always, tensor.Q5_K},
		{attnOutput, not(eight), tensor.Q5_K},
		{ffnDown, always, tensor.Q5_K},
	}},
	{Name: "q3_k_m", Number: 12, weights: tensor.Q3_K, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, first(2), tensor.Q5_K},
		{attnValue, always, tensor.Q4_K},
		{attnOutput, always, tensor.Q4_K},
		{ffnDown, firstPart(16), tensor.Q5_K},
		{ffnDown, always, tensor.Q4_K},
	}},
	{Name: "q3_k_s", Number: 11, weights: tensor.Q3_K, head: tensor.Q6_K, rules: []rule{values8, keys8, output8}},
	{Name: "iq3_m", Number: 27, weights: tensor.IQ3_S, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, always, tensor.Q4_K},
		{attnOutput, always, tensor.Q4_K},
		{ffnDown, either(firstPart(8), both(eight, moreBits)), tensor.Q4_K},
	}},
	{Name: "iq3_s", Number: 26, weights: tensor.IQ3_S, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, shared, tensor.Q4_K},
	}},
	{Name: "iq3_xs", Number: 22, weights: tensor.IQ3_S, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, shared, tensor.Q4_K},
		{attnKey, always, tensor.IQ3_XXS},
		{attnQuery, always, tensor.IQ3_XXS},
		{ffnGate, middle, tensor.IQ3_XXS},
		{ffnUp, middle, tensor.IQ3_XXS},
	}},
	{Name: "iq3_xxs", Number: 23, weights: tensor.IQ3_XXS, head: tensor.Q5_K, embedding: tensor.IQ3_S, rules: []rule{
		values8, keys8, output8,
		{attnValue, shared, tensor.Q4_K},
		{attnValue, unmeasured, tensor.IQ3_S},
		{attnKey, always, tensor.IQ2_S},
		{attnQuery, always, tensor.IQ2_S},
		{attnOutput, always, tensor.IQ3_S},
		{ffnDown, both(unmeasured, firstPart(8)), tensor.Q4_K},
		{ffnDown, unmeasured, tensor.Q3_K},
	}},
	{Name: "q2_k", Number: 10, weights: tensor.Q2_K, head: tensor.Q6_K, rules: []rule{
		values8, keys8, output8,
		{attnValue, shared, tensor.Q4_K},
		{attnValue, always, tensor.Q3_K},
		{attnOutput, always, tensor.Q3_K},
		{ffnDown, always, tensor.Q3_K},
	}},
	{Name: "q2_k_s", Number: 21, weights: tensor.Q2_K, head: tensor.Q6_K, rules: []rule{
		values8, keys8,
		{attnValue, shared, tensor.Q4_K},
		{ffnDown, firstPart(8), tensor.Q4_K},
	}},
	{Name: "iq2_m", Number: 29, weights: tensor.IQ2_S, head: tensor.Q5_K, embedding: tensor.IQ3_S,
		rules: smallest(tensor.IQ3_S, rule{attnOutput, always, tensor.IQ3_S})},
	{Name: "iq2_s", Number: 28, weights: tensor.IQ2_XS, head: tensor.Q5_K, embedding: tensor.IQ3_S,
		rules: smallest(tensor.IQ3_S, rule{attnOutput, always, tensor.IQ3_S})},
	{Name: "iq2_xs", Number: 20, weights: tensor.IQ2_XS, head: tensor.Q5_K, embedding: tensor.Q2_K, rules: smallest(tensor.Q2_K)},
	{Name: "iq2_xxs", Number: 19, weights: tensor.IQ2_XXS, head: tensor.Q5_K, embedding: tensor.Q2_K, rules: smallest(tensor.Q2_K)},
	{Name: "iq1_m", Number: 31, weights: tensor.IQ1_M, head: tensor.Q5_K, embedding: tensor.Q2_K,
		rules: smallest(tensor.Q2_K, rule{attnOutput, always, tensor.IQ2_XXS})},
	{Name: "iq1_s", Number: 24, weights: tensor.IQ1_S, head: tensor.Q5_K, embedding: tensor.Q2_K,
		rules: smallest(tensor.Q2_K, rule{attnOutput, always, tensor.IQ2_XXS})},
	{Name: "q2_0", Number: 41, weights: tensor.Q2_0, head: tensor.Q6_K, embedding: tensor.Q4_K, rules: plain},
	{Name: "tq2_0", Number: 37, weights: tensor.TQ2_0, head: tensor.Q6_K, embedding: tensor.Q4_K, rules: plain},
	{Name: "tq1_0", Number: 36, weights: tensor.TQ1_0, head: tensor.Q6_K, embedding: tensor.Q4_K, rules: plain},
	{Name: "q1_0", Number: 40, weights: tensor.Q1_0, head: tensor.Q6_K, rules: plain},
	{Name: "mxfp4_moe", Number: 38, weights: tensor.Q8_0, head: tensor.Q8_0, rules: []rule{{anyRole, stacked, tensor.MXFP4}}},
}

// aliases are further names of file types.
var aliases = map[string]string{"q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m"}

// fallbacks are what a matrix gets whose rows are not whole blocks of a dtype; F16 if they are not whole blocks of that either.
// A dtype without an entry has none.
var fallbacks = map[tensor.DType]tensor.DType{
	tensor.IQ1_S: tensor.IQ4_NL, tensor.IQ1_M: tensor.IQ4_NL,
	tensor.IQ2_XXS: tensor.IQ4_NL, tensor.IQ2_XS: tensor.IQ4_NL, tensor.IQ2_S: tensor.IQ4_NL,
	tensor.IQ3_XXS: tensor.IQ4_NL, tensor.IQ3_S: tensor.IQ4_NL, tensor.IQ4_XS: tensor.IQ4_NL,
	tensor.TQ1_0: tensor.Q4_0, tensor.TQ2_0: tensor.Q4_0, tensor.Q2_0: tensor.Q4_0,
	tensor.Q2_K: tensor.Q4_0, tensor.Q3_K: tensor.Q4_0,
	tensor.Q4_K: tensor.Q5_0, tensor.Q5_K: tensor.Q5_1, tensor.Q6_K: tensor.Q8_0,
	tensor.Q4_0: tensor.F16, tensor.Q4_1: tensor.F16, tensor.Q5_0: tensor.F16, tensor.Q5_1: tensor.F16, tensor.Q8_0: tensor.F16,
	tensor.IQ4_NL: tensor.F16, tensor.MXFP4: tensor.F16,
}
