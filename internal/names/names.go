// Package names holds the one table of tensor names, shapes and transforms, in Hugging Face naming, which is canonical
// here.
//
// The table of a family is static and in the order the model uses its tensors. Loading, binding and writing go through
// it, in every layout, and so does the judgement of a name that should not be there.
package names

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
)

// Spec is one tensor that a checkpoint of some configuration has.
type Spec struct {
	Name     string // such as "backbone.layers.0.mixer.A_log"
	Shape    []int  // as PyTorch gives it, outermost first; read-only, shared between blocks
	Optional bool   // may be absent: lm_head.weight of a tied model
	Layer    int    // index of the block; -1 outside the blocks
}

// Table lists the tensors that a checkpoint of cfg holds, in the order the model uses them.
// The error is a *badfile.UnsupportedError for a family without a table.
func Table(cfg config.Config) ([]Spec, error) {
	return list(cfg, func(k kind) []row { return k.rows })
}

// Find returns the tensor of that name in the table of cfg.
func Find(cfg config.Config, name string) (spec Spec, ok bool) {
	t := tableOf(cfg.Family())
	layer, rest := indexed(name, blockPrefix)
	if t == nil || layer >= cfg.Shared().NumHiddenLayers {
		return Spec{}, false
	}
	r := t.find(cfg, layer, func(r *row) bool { return r.is(rest) })
	if r == nil || r.when != "" && !config.On(cfg, r.when) {
		return Spec{}, false
	}
	sizes := config.SizesOf(cfg)
	if shared := config.SharedBlocks(cfg); shared != nil && layer >= 0 && !t.stores(cfg, shared, layer, r, rest) {
		return Spec{}, false
	}
	if e, _ := r.expert(rest); r.each != "" && e >= sizes[r.each] {
		return Spec{}, false
	}
	return Spec{name, r.shape.of(sizes), r.optional != "" && config.On(cfg, r.optional), layer}, true
}

// StateDict is InHF in the order in which transformers writes its state dict.
func StateDict(cfg config.Config) ([]Whole, error) {
	if t := tableOf(cfg.Family()); t != nil && t.hybrid != nil {
		whole, err := InHF(cfg)
		if t.hybrid.modules != nil {
			t.sortModules(whole)
		} else {
			t.sortInside(whole)
		}
		return whole, err
	}
	specs, err := list(cfg, func(k kind) []row {
		rows := slices.Clone(k.rows)
		slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(rank(k.transformers, a.name), rank(k.transformers, b.name)) })
		return rows
	})
	return Singles(specs), err
}

// list lists the tensors of cfg, with the rows of a block as they are given.
func list(cfg config.Config, rowsOf func(kind) []row) ([]Spec, error) {
	t, err := lookUp(cfg)
	if err != nil {
		return nil, err
	}
	sizes := config.SizesOf(cfg)
	specs := instantiate(cfg, t.before, sizes)
	blocks := make(map[config.Block][]Spec) // without the layer
	for _, k := range t.used(cfg) {
		blocks[k.Block] = instantiate(cfg, rowsOf(k), sizes)
	}
	shared := config.SharedBlocks(cfg)
	for i := range config.Blocks(cfg) {
		prefix := Blocks + strconv.Itoa(i) + "."
		for _, k := range t.of(cfg, i) {
			for _, spec := range blocks[k.Block] {
				spec.Layer = i
				for _, name := range k.inLayer(shared, i, spec.Name) {
					spec.Name = prefix + name
					specs = append(specs, spec)
				}
			}
		}
	}
	return append(specs, instantiate(cfg, t.after, sizes)...), nil
}

// lookUp is tableOf, with an error for a family without a table.
func lookUp(cfg config.Config) (*table, error) {
	if t := tableOf(cfg.Family()); t != nil {
		return t, nil
	}
	return nil, &badfile.UnsupportedError{Where: "model_type", Detail: "no tensor names are known for " + badfile.Quote(string(cfg.Family()))}
}

// instantiate lists the rows that cfg asks for.
func instantiate(cfg config.Config, rows []row, sizes config.Sizes) []Spec {
	var specs []Spec
	for _, r := range rows {
		if r.when != "" && !config.On(cfg, r.when) {
			continue
		}
		spec := Spec{Name: r.name, Shape: r.shape.of(sizes), Optional: r.optional != "" && config.On(cfg, r.optional), Layer: -1}
		if r.each == "" {
			specs = append(specs, spec)
			continue
		}
		for e := range sizes[r.each] {
			spec.Name = r.of(e)
			specs = append(specs, spec)
		}
	}
	return specs
}

// rank is the place of a block's tensor in an order of modules. A table has weight and bias of a module in the right order.
func rank(modules []string, name string) int {
	return slices.IndexFunc(modules, func(module string) bool { return name == module || strings.HasPrefix(name, module+".") })
}

// Own reports whether name belongs to the naming of cfg's family: it is in the table for some block index and some
// configuration, or Rename knows what it was meant to be. Such a name that Table does not list contradicts the
// configuration (a block beyond num_hidden_layers, an in_proj.bias without use_bias, a misspelt embedding).
// Every other name is foreign, such as a stray buffer.
func Own(cfg config.Config, name string) bool {
	if _, ok := Rename(name); ok {
		return true
	}
	t := tableOf(cfg.Family())
	return t != nil && t.has(name)
}

// ZeroIfAbsent reports whether a model may do without the tensor of a canonical name, which is then as good as zero.
func ZeroIfAbsent(name string) bool {
	layer, rest := indexed(name, blockPrefix)
	if layer < 0 {
		return false
	}
	for _, t := range tables {
		for _, k := range t.blocks {
			if slices.ContainsFunc(k.rows, func(r row) bool { return r.is(rest) && strings.HasSuffix(rest, "bias") && r.when != "" }) {
				return true
			}
		}
	}
	return false
}

// indexed splits a name that begins with a prefix and the index of a block, for which the prefix has {i}. The index of a
// name that does not begin so is below 0, and the rest the name itself; that of one with a bad index is empty.
func indexed(name, prefix string) (layer int, rest string) {
	before, after, _ := strings.Cut(prefix, "{i}")
	rest, ok := strings.CutPrefix(name, before)
	if !ok {
		return -1, name
	}
	index, rest, _ := strings.Cut(rest, after)
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || strconv.Itoa(n) != index {
		return -1, "" // of no table: before is in no name outside of blocks
	}
	return n, rest
}

// instance puts the index of a block into a prefix, before a name within it; below 0, the name is not of a block.
func instance(prefix string, layer int, name string) string {
	if layer < 0 {
		return name
	}
	return strings.Replace(prefix, "{i}", strconv.Itoa(layer), 1) + name
}
