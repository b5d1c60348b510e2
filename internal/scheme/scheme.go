// Package scheme puts the weights together that other programs store in several tensors: codes, scales and what else they
// follow from. Each scheme is a file here and a line in schemes. Nothing is widened on the way: a weight becomes a tensor
// with a coding, which does so as it is used, from the bytes in the files.
package scheme

import (
	"cmp"
	"maps"
	"slices"
	"strings"

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
var schemes = []*scheme{
	&torchAO, &mx4ModelOpt, &int4ModelOpt, &nvfp4ModelOpt, &mxCompressed, &nvfp4Compressed, &packed, &bnb4, &bnb8, &mlx, &gptq, &awq, &scaledBytes,
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

// Stated is what files say about weights beside the tensors.
type Stated struct {
	Config   string            // the JSON text of what config.json says about quantization, or empty
	Names    []string          // of the tensors in the files; nil: as they are called now
	Metadata map[string]string // of the files' headers
}

// Assemble puts the weights among some stored tensors together. Which tensors are coded and how follows from themselves, as far as
// it can. Errors: *badfile.FormatError and *badfile.UnsupportedError.
func Assemble(list []tensor.Tensor, stated Stated) (*Result, error) {
	set, err := parseSettings(stated.Config)
	if err != nil {
		return nil, err
	}
	r, modules := &Result{}, group(list, set, stated)
	found := map[string]int{}
	built := make(map[string]tensor.Tensor) // by the name of the tensor whose place it takes
	taken := map[string]bool{}
	by := map[string]*scheme{} // what the names of a built module's tensors begin with
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		s := m.scheme()
		if s == nil {
			if err := m.plain(); err != nil {
				return nil, err
			}
			continue
		}
		t, used, err := m.build(s)
		if err != nil {
			return nil, err
		}
		found[m.label(s, t.Coding)]++
		by[strings.TrimSuffix(m.before, ".")] = s
		for i, part := range used {
			if taken[part] = true; i == 0 {
				built[part] = t
			}
		}
	}
	for _, t := range list {
		if whole, ok := built[t.Name]; ok {
			r.Tensors = append(r.Tensors, whole)
		} else if len(found) > 0 && scalesActivations(t.Name) {
			r.Activations = append(r.Activations, t.Name)
		} else if !taken[t.Name] {
			if err := beside(t, by); err != nil {
				return nil, err
			}
			r.Tensors = append(r.Tensors, t)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(found)) {
		r.Found = append(r.Found, Found{s, found[s]})
	}
	return r, set.unknown(len(found) > 0)
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
			return t, nil, m.lacks(part, "; %s stores one for every such weight", s.program)
		}
	}
	for _, part := range slices.Concat(s.parts, s.optional) {
		if m.has(part) {
			used = append(used, m.stored(part))
		}
	}
	for _, part := range slices.Sorted(maps.Keys(m.parts)) {
		if !slices.Contains(used, m.stored(part)) {
			return t, nil, m.cannot(part, "stands beside a weight of %s, which stores none: what it does to the weight is not known here", cmp.Or(s.program, "8 bits"))
		}
	}
	coding, shape, err := s.weight(m)
	if err != nil || !there {
		return t, nil, err
	}
	if coding, err = m.withInput(coding, shape); err != nil {
		return t, nil, err
	}
	return tensor.OfCoding(m.weight, coding, shape, codes.File), used, nil
}
