// Package scheme puts the weights together that other programs store in several tensors: codes, scales and what else they
// follow from. Each scheme is a file here and a line in schemes. Nothing is widened on the way: a weight becomes a tensor
// with a coding, which does so as it is used, from the bytes in the files.
package scheme

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// scheme is one way to store a weight in several tensors. They are named after the module that the weight belongs to:
// "MODULE.weight", "MODULE.weight_scale".
type scheme struct {
	program string   // that writes such weights; empty: several do
	parts   []string // what follows the module's name; required unless optional has them too
	// optional are parts that a weight may do without.
	optional []string
	// match reports whether the tensors of a module are a weight of this scheme.
	match func(m *module) bool
	// weight checks the tensors against each other and returns the weight's shape and coding.
	weight func(m *module) (tensor.Coding, []int, error)
}

// schemes are asked in this order.
var schemes = []*scheme{&nvfp4ModelOpt, &nvfp4Compressed, &packed, &bnb4, &bnb8, &mlx, &gptq, &awq, &scaledBytes}

// activations are what follows a module's name in tensors that scale what goes into a product, or keys and values: rounding
// these is not part of the computation here.
var activations = []string{
	"input_scale", "input_global_scale", "input_zero_point", "output_scale", "output_zero_point", "k_scale", "v_scale", "q_scale",
	"act_scale", "activation_scale",
}

// Result is a checkpoint with its weights put together.
type Result struct {
	Tensors     []tensor.Tensor
	Found       []Found
	Activations []string // the names of scales of activations, which are left out
}

// Found counts the weights of a scheme.
type Found struct {
	Scheme  string `json:"scheme"`
	Weights int    `json:"weights"`
}

// Assemble puts the weights among some stored tensors together. quantization is the JSON text of what config.json says about
// them, or empty; which tensors are coded and how follows from themselves, as far as it can. Errors: *badfile.FormatError and
// *badfile.UnsupportedError.
func Assemble(stored []tensor.Tensor, quantization string) (*Result, error) {
	set, err := parseSettings(quantization)
	if err != nil {
		return nil, err
	}
	r, modules := &Result{}, group(stored, set)
	found := map[string]int{}
	built := make(map[string]tensor.Tensor) // by the name of the tensor whose place it takes
	taken := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		s := m.scheme()
		if s == nil {
			continue
		}
		t, used, err := m.build(s)
		if err != nil {
			return nil, err
		}
		found[m.label(s, t.Coding)]++
		for i, part := range used {
			if taken[part] = true; i == 0 {
				built[part] = t
			}
		}
	}
	for _, t := range stored {
		if whole, ok := built[t.Name]; ok {
			r.Tensors = append(r.Tensors, whole)
		} else if len(found) > 0 && scalesActivations(t.Name) {
			r.Activations = append(r.Activations, t.Name)
		} else if !taken[t.Name] {
			r.Tensors = append(r.Tensors, t)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(found)) {
		r.Found = append(r.Found, Found{s, found[s]})
	}
	return r, set.unknown(len(found) > 0)
}

func scalesActivations(name string) bool {
	return slices.ContainsFunc(activations, func(part string) bool { return strings.HasSuffix(name, "."+part) })
}

// group sorts tensors by module. Modules of which there is but a plain weight or bias are left out.
func group(stored []tensor.Tensor, set *settings) map[string]*module {
	parts := []string{partWeight}
	for _, s := range schemes {
		parts = append(parts, s.parts...)
		parts = append(parts, s.optional...)
	}
	slices.SortFunc(parts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	parts = slices.Compact(parts)
	modules := map[string]*module{}
	for _, t := range stored {
		i := slices.IndexFunc(parts, func(part string) bool { return strings.HasSuffix(t.Name, "."+part) })
		if i < 0 || parts[i] == partWeight && t.DType.Float() {
			continue
		}
		name := strings.TrimSuffix(t.Name, "."+parts[i])
		if modules[name] == nil {
			modules[name] = &module{name: name, parts: map[string]tensor.Tensor{}, settings: set.of(name)}
		}
		modules[name].parts[parts[i]] = t.Solid() // a trainer may have it in parts
	}
	return modules
}

// scheme returns the scheme that the tensors of a module follow; nil: none that is known.
func (m *module) scheme() *scheme {
	for _, s := range schemes {
		if s.match(m) {
			return s
		}
	}
	return nil
}

// programs are those that quant_method stands for.
var programs = map[string]string{"modelopt": "ModelOpt", "compressed-tensors": "compressed-tensors", "fp8": "transformers"}

// label names what is found: the coding, and the program if that does not say it.
func (m *module) label(s *scheme, c tensor.Coding) string {
	program := cmp.Or(s.program, programs[m.settings.text("quant_method")])
	if program == "" || strings.HasPrefix(c.String(), program) {
		return c.String()
	}
	return c.String() + " of " + program
}

// build returns the weight of a module and the names of the tensors that it takes in, first the one with the codes.
func (m *module) build(s *scheme) (t tensor.Tensor, used []string, err error) {
	codes, there := m.parts[s.parts[0]]
	for _, part := range s.parts {
		if !m.has(part) {
			return t, nil, &badfile.FormatError{File: m.file(), Where: badfile.Tensor(m.name + "." + part), Detail: "missing; " + s.program + " stores one for every such weight"}
		}
	}
	for _, part := range slices.Concat(s.parts, s.optional) {
		if m.has(part) {
			used = append(used, m.name+"."+part)
		}
	}
	coding, shape, err := s.weight(m)
	if err != nil || !there {
		return t, nil, err
	}
	return tensor.OfCoding(m.name+"."+partWeight, coding, shape, codes.File), used, nil
}
