package names

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// Shown returns what tensors show about a model of the family of cfg, by their canonical names and shapes: its sizes, and
// the switches that say which tensors there are. Of every kind of block, the first layer that cfg has of it counts.
func Shown(cfg config.Config, shapes map[string][]int) (config.Sizes, map[string]bool) {
	sizes, switches := config.Sizes{}, make(map[string]bool)
	t := tableOf(cfg.Family())
	if t == nil {
		return sizes, switches
	}
	look := func(prefix string, rows []row) {
		for _, r := range rows {
			if r.each != "" {
				r.name = r.of(0)
			}
			r.name = strings.Replace(r.name, useIndex, "0", 1) // of the first layer with such a block
			if shape, ok := shapes[prefix+r.name]; ok {
				r.shape.show(shape, sizes)
			} else if shape = shapes[prefix+r.file]; r.each != "" && len(shape) == 3 {
				r.shape.show(shape[1:], sizes) // of all experts, not taken apart
			}
			weight := prefix + strings.TrimSuffix(r.name, "bias") + "weight"
			if r.alone {
				weight = prefix + rows[0].name // the norm
			}
			if _, already := switches[r.when]; r.when != "" && !already && shapes[weight] != nil {
				switches[r.when] = shapes[prefix+r.name] != nil
			}
		}
	}
	look("", t.before)
	for _, k := range t.used(cfg) {
		look(Blocks+strconv.Itoa(first(cfg, k.Block))+".", k.rows)
	}
	look("", t.after)
	return sizes, switches
}

// first returns the first layer with such a block.
func first(cfg config.Config, b config.Block) int {
	for i, layer := range config.Blocks(cfg) {
		for _, has := range layer {
			if has == b {
				return i
			}
		}
	}
	return 0
}

// FamilyOf returns the family that a model's first block is of, judged by a tensor that no other family's block has;
// families that have their tensors in common count as the plain one. Empty: it is unknown.
func FamilyOf(has func(name string) bool) config.Family {
	for _, t := range tables {
		for _, k := range t.blocks {
			if t.hybrid != nil {
				continue
			}
			if own, _ := k.distinct(); len(own) > 0 && has(Blocks+"0."+own[0]) {
				return config.Plain(t.family)
			}
		}
	}
	return ""
}

// OfHybrid returns the first of the names of tensors that only blocks of a hybrid have, under whatever prefix, and that
// hybrid's family; empty: there is none, or no mixer beside it.
func OfHybrid(list []string) (name string, family config.Family) {
	if !slices.ContainsFunc(list, func(name string) bool { return strings.HasSuffix(name, ".A_log") }) {
		return "", "" // another architecture
	}
	for _, name := range list {
		_, rest, ok := strings.Cut("."+name, ".layers.")
		_, rest, inside := strings.Cut(rest, ".")
		if !ok || !inside || strings.HasSuffix(rest, "norm.weight") {
			continue
		}
		for _, t := range tables {
			if t.hybrid != nil && t.names(rest) && !slices.ContainsFunc(tables, func(pure table) bool { return pure.hybrid == nil && pure.names(rest) }) {
				return name, t.family
			}
		}
	}
	return "", ""
}

// names reports whether a block of the family has a tensor of that name.
func (t *table) names(name string) bool {
	return slices.ContainsFunc(t.blocks, func(k kind) bool {
		return slices.ContainsFunc(k.rows, func(r row) bool { return r.is(name) })
	})
}

// distinct lists the names that only blocks of this kind have, canonical and in GGUF.
func (b *block) distinct() (canonical, gguf []string) {
	elsewhere, of := make(map[string]bool), b.kinds()
	for _, t := range tables {
		for _, k := range t.blocks {
			if !slices.Contains(of, k.Block) {
				for _, r := range k.rows {
					if r.vague {
						continue
					}
					elsewhere[r.name], elsewhere[ggufBlock+r.gguf.name] = true, true
				}
			}
		}
	}
	for _, r := range b.rows {
		if !elsewhere[r.name] && !r.vague {
			canonical = append(canonical, r.name)
		}
		if r.gguf.name != "" && !elsewhere[ggufBlock+r.gguf.name] {
			gguf = append(gguf, r.gguf.name)
		}
	}
	return canonical, gguf
}

// kinds returns what a family calls the block.
func (b *block) kinds() (list []config.Block) {
	for _, t := range tables {
		for _, k := range t.blocks {
			if k.block == b {
				list = append(list, k.Block)
			}
		}
	}
	return list
}

// StateSpace lists the weights of a layer of cfg that an attention block under the same names does not have, which has
// projections and perhaps a convolution. Names are those within the mixer.
func StateSpace(cfg config.Config, layer int) []string {
	var list []string
	for _, k := range tableOf(cfg.Family()).of(cfg, layer) {
		for _, r := range k.rows {
			name, inside := strings.CutPrefix(r.name, "mixer.")
			module, _, _ := strings.Cut(name, ".")
			if inside && r.when == "" && !strings.HasSuffix(name, ".bias") && module != "in_proj" && module != "conv1d" && module != "out_proj" {
				list = append(list, name)
			}
		}
	}
	return list
}
