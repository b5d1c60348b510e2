package names

import (
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// InMLX lists the tensors of a model of cfg as files of mlx-lm have them, in the order of the table. Names begin as canonical
// ones do; see ToMLX.
func InMLX(cfg config.Config) ([]Whole, error) {
	return wholes(cfg, blockPrefix, func(r *row) string { return r.mlx })
}

// ToMLX returns the name that the tensor of a canonical name has in files of mlx-lm, or what it is a part of there.
func ToMLX(cfg config.Config, name string) string {
	layer, rest := indexed(name, blockPrefix)
	if t := tableOf(cfg.Family()); t != nil && layer >= 0 {
		if r := t.find(cfg, layer, func(r *row) bool { return r.mlx != "" && r.is(rest) }); r != nil {
			return Spelled(cfg, instance(blockPrefix, layer, r.mlx))
		}
	}
	return Spelled(cfg, name)
}

// FromMLX is the reverse of ToMLX for a tensor by itself. The name of one that is made of several is as InMLX has it.
func FromMLX(cfg config.Config, name string) string {
	name = FromHF(cfg, name)
	t := tableOf(cfg.Family())
	layer, rest := indexed(name, blockPrefix)
	if t == nil || layer < 0 || rest == "" {
		return name
	}
	var found []row
	for _, k := range t.of(cfg, layer) {
		found = append(found, slices.DeleteFunc(slices.Clone(k.rows), func(r row) bool { return r.mlx != rest })...)
	}
	if len(found) == 1 && found[0].each == "" {
		return instance(blockPrefix, layer, found[0].name)
	}
	return name
}

// MLXCodes reports whether mlx-lm may quantize a tensor of InMLX: weights of its linear layers, of its layers of experts and of
// its embedding, among which that of Nemotron's router is not.
func MLXCodes(w Whole) bool {
	name := w.Parts[0].Name
	return len(w.Shape) > 1 && strings.HasSuffix(name, ".weight") && !Convolution(name) && !strings.HasSuffix(name, ".mixer.gate.weight")
}

// Convolution reports whether a name is that of a convolution's weight, which is [C, K, 1] in files of mlx-lm.
func Convolution(name string) bool { return strings.HasSuffix(name, ".conv1d.weight") }

// MLXRouter reports whether a tensor is a router that mlx-lm quantizes to 8 bits whatever the others have.
func MLXRouter(name string) bool {
	return strings.HasSuffix(name, ".router.layer.weight") || strings.HasSuffix(name, ".feed_forward.router.weight")
}

// MLXKeeps reports whether mlx-lm leaves a tensor its dtype when it changes that of the others (cast_predicate).
func MLXKeeps(cfg config.Config, name string) bool {
	return cfg.Family() == config.NemotronH && (IsALog(name) || Buffer(name))
}

// Leaf returns a function that reports whether a tensor belongs to a module that has no others inside, for the names of all
// tensors of a model. mlx-lm counts the parameters of these alone.
func Leaf(all []string) func(name string) bool {
	above := map[string]bool{} // modules with others inside
	for _, name := range all {
		for m := module(module(name)); m != ""; m = module(m) {
			above[m] = true
		}
	}
	return func(name string) bool { return !above[module(name)] }
}

// module returns the name of the module that a tensor belongs to.
func module(name string) string { return name[:max(strings.LastIndexByte(name, '.'), 0)] }
