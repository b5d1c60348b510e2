package scheme

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// group sorts tensors by the name of the weight that they belong to. What has but a plain weight or bias is left out.
func group(list []tensor.Tensor, set *settings, stated Stated) map[string]*module {
	modules := map[string]*module{}
	of := func(weight, before, cut string) *module {
		if modules[weight] == nil {
			modules[weight] = &module{weight: weight, before: before, cut: cut, parts: map[string]tensor.Tensor{}, settings: set.of(moduleOf(weight))}
		}
		return modules[weight]
	}
	var plain []tensor.Tensor // weights of floats
	bare, about := bareWeights(list), newAbout(stated.Metadata)
	for i, t := range list {
		if scalesActivations(t.Name) {
			continue
		}
		if name, part, ok := cutPart(t.Name); ok && part == partWeight && t.DType.Float() {
			plain = append(plain, t)
		} else if ok {
			of(name+"."+partWeight, name+".", "").parts[part] = t.Solid() // a trainer may have it in parts
		} else if weight, part, ok := bare.cut(t.Name); ok {
			before, cut := weight, partWeight
			if module, ok := strings.CutSuffix(weight, partWeight); ok {
				before, cut = module, ""
			}
			of(weight, before, cut).parts[part] = t.Solid()
		} else if before, parameter, part, ok := cutTorchAO(t.Name); ok {
			m := of(before+parameter, before+"_"+parameter, "")
			m.parts[part] = t.Solid()
			if stated.Names != nil {
				before, parameter, _, _ = cutTorchAO(stated.Names[i])
			}
			m.described = about.of(before + parameter)
		}
	}
	for _, t := range plain { // bitsandbytes may store codes in any dtype
		if m := modules[t.Name]; m != nil && (m.has("weight.absmax") || m.has(partInput)) {
			m.parts[partWeight] = t.Solid()
		}
	}
	return modules
}

// moduleOf returns the name of the module that a weight belongs to, or that of the weight if it is a parameter by itself.
func moduleOf(weight string) string { return strings.TrimSuffix(weight, "."+partWeight) }

// known are the parts of all schemes that follow a module's name, longest first, each after a dot.
var known = sync.OnceValue(func() []string {
	parts := []string{"." + partWeight, "." + partInput}
	for _, s := range schemes {
		for _, part := range slices.Concat(s.parts, s.optional) {
			if !strings.HasPrefix(part, "_") {
				parts = append(parts, "."+part)
			}
		}
	}
	slices.SortFunc(parts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(parts)
})

// cutPart takes what follows a module's name off a tensor's name.
func cutPart(name string) (module, part string, ok bool) {
	for _, end := range known() {
		if module, ok := strings.CutSuffix(name, end); ok {
			return module, end[1:], true
		}
	}
	return "", "", false
}

// parameters are the names of weights by those of 8-bit floats that are parameters by themselves: experts, as transformers has them
// in memory. Their other parts are named after them: "experts.up_proj_scale_inv".
type parameters map[string]string

// renamed are how transformers ends the names of Granite's experts in files, and in memory (conversion_mapping.py). It renames the weights
// as it saves them, and not their scales.
var renamed = [][2]string{{".input_linear.weight", ".experts.gate_up_proj"}, {".output_linear.weight", ".experts.down_proj"}}

func bareWeights(list []tensor.Tensor) parameters {
	bare := parameters{}
	names := make(map[string]bool, len(list))
	for _, t := range list {
		names[t.Name] = true
	}
	for _, t := range list {
		if t.DType != tensor.F8_E4M3 || len(t.Shape) != 3 {
			continue
		}
		if _, _, part := cutPart(t.Name); !part && (names[t.Name+"_scale"] || names[t.Name+"_scale_inv"]) {
			bare[t.Name] = t.Name
		}
		for _, r := range renamed {
			if module, ok := strings.CutSuffix(t.Name, r[0]); ok {
				bare[module+r[1]] = t.Name
			}
		}
	}
	return bare
}

// cut is cutPart for bare weights.
func (bare parameters) cut(name string) (weight, part string, ok bool) {
	if weight, ok := bare[name]; ok {
		return weight, partWeight, true
	}
	if len(bare) == 0 {
		return "", "", false
	}
	for _, part := range scaledBytes.optional {
		parameter, _ := strings.CutSuffix(name, strings.TrimPrefix(part, partWeight))
		if weight, ok := bare[parameter]; ok && parameter != name {
			return weight, part, true
		}
	}
	return "", "", false
}

// activations are how the names of tensors end that scale what goes into a product, or keys and values: rounding these is not part
// of the computation here.
var activations = []string{
	".input_scale", ".input_global_scale", ".input_zero_point", ".output_scale", ".output_zero_point", ".k_scale", ".v_scale", ".q_scale",
	".k_bias", ".v_bias", ".act_scale", ".activation_scale", "_activation_scale", "_act_quant_scale", "_act_quant_zero_point", "_act_per_tensor_scale",
}

func scalesActivations(name string) bool {
	return slices.ContainsFunc(activations, func(end string) bool { return strings.HasSuffix(name, end) })
}

// plain refuses what stands beside a weight that is not coded and changes it.
func (m *module) plain() error {
	for _, part := range inputParts {
		if m.has(part) {
			return m.cannot(part, "scales the input of a product whose weight is not quantized, or in a way that is not known here")
		}
	}
	return nil
}

// beside refuses a tensor of a module whose weight is coded, and whose part in that is not known. by are the schemes of such
// modules.
func beside(t tensor.Tensor, by map[string]*scheme) error {
	for i := strings.LastIndexByte(t.Name, '.'); i > 0; i = strings.LastIndexByte(t.Name[:i], '.') {
		s, ok := by[t.Name[:i]]
		if !ok || t.Name[i+1:] == "bias" {
			continue
		}
		return &badfile.UnsupportedError{File: t.File, Where: badfile.Tensor(t.Name), Detail: "stands beside a weight of " + cmp.Or(s.program, "8 bits") +
			", and what it does to that is not known here; use a checkpoint without it"}
	}
	return nil
}
