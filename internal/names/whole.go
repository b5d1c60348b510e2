package names

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// Whole is a tensor as a layout stores it: one of the table, or several that lie one after the other, such as the gate and up
// projections of all experts.
type Whole struct {
	Spec         // of the only part, or of all: its name is the layout's own
	Parts []Spec // in the order in which they lie in it
}

// Single is the tensor of a spec by itself.
func Single(spec Spec) Whole { return Whole{spec, []Spec{spec}} }

// Singles are the tensors of specs by themselves.
func Singles(specs []Spec) []Whole {
	list := make([]Whole, len(specs))
	for i, s := range specs {
		list[i] = Single(s)
	}
	return list
}

// InHF lists the tensors of a model of cfg as Hugging Face's files have them, in the order of the table. Names begin as
// canonical ones do; see ToHF.
func InHF(cfg config.Config) ([]Whole, error) {
	return wholes(cfg, blockPrefix, func(r *row) string { return r.file })
}

// InMemory lists the tensors that transformers has in memory, of those that are made of several parts there.
func InMemory(cfg config.Config) ([]Whole, error) {
	list, err := wholes(cfg, blockPrefix, func(r *row) string { return r.inside })
	return slices.DeleteFunc(list, func(w Whole) bool { return len(w.Parts) == 1 }), err
}

// InGGUF lists the tensors of a model of cfg as GGUF files have them, in the order of the table.
func InGGUF(cfg config.Config) ([]Whole, error) {
	return wholes(cfg, ggufBlock, func(r *row) string {
		if r.each == "" {
			return "" // it is a tensor by itself
		}
		return r.gguf.name
	})
}

// wholes joins the tensors of cfg to those that a layout stores. stored is the name that it has for a row's tensor, and perhaps
// for those of other rows and of all experts; empty: that of the row. prefix starts such names of several parts.
func wholes(cfg config.Config, prefix string, stored func(*row) string) ([]Whole, error) {
	t, err := lookUp(cfg)
	if err != nil {
		return nil, err
	}
	sizes := config.SizesOf(cfg)
	list := Singles(instantiate(cfg, t.before, sizes))
	of := make(map[config.Block][]Whole) // without the layer
	for _, k := range t.used(cfg) {
		of[k.Block] = join(cfg, k.rows, sizes, stored)
	}
	shared := config.SharedBlocks(cfg)
	for layer := range config.Blocks(cfg) {
		before := Blocks + strconv.Itoa(layer) + "."
		for _, k := range t.of(cfg, layer) {
			for _, w := range of[k.Block] {
				if len(w.Parts) == 1 {
					spec := w.Parts[0]
					spec.Layer = layer
					for _, name := range k.inLayer(shared, layer, spec.Name) {
						spec.Name = before + name
						list = append(list, Whole{w.Spec.named(layer, spec.Name), []Spec{spec}})
					}
					continue
				}
				parts := slices.Clone(w.Parts)
				for i := range parts {
					parts[i].Layer, parts[i].Name = layer, before+parts[i].Name
				}
				list = append(list, Whole{w.Spec.named(layer, instance(prefix, layer, w.Name)), parts})
			}
		}
	}
	return append(list, Singles(instantiate(cfg, t.after, sizes))...), nil
}

// named returns the spec of a tensor in a layer.
func (s Spec) named(layer int, name string) Spec {
	s.Layer, s.Name = layer, name
	return s
}

// join is wholes for the rows of a block.
func join(cfg config.Config, rows []row, sizes config.Sizes, stored func(*row) string) []Whole {
	var list []Whole
	for i := range rows {
		r := &rows[i]
		name := stored(r)
		absent := r.when != "" && !config.On(cfg, r.when) || r.each != "" && sizes[r.each] == 0
		if absent || name != "" && slices.ContainsFunc(rows[:i], func(before row) bool { return stored(&before) == name }) {
			continue
		}
		together := rows[i : i+1]
		if name == "" {
			list = append(list, Singles(instantiate(cfg, together, sizes))...)
			continue
		}
		together = slices.DeleteFunc(slices.Clone(rows[i:]), func(r row) bool { return stored(&r) != name })
		list = append(list, joined(cfg, name, together, sizes))
	}
	return list
}

// joined is the tensor of some rows: of all experts if the rows are.
func joined(cfg config.Config, name string, rows []row, sizes config.Sizes) Whole {
	each := make([][]Spec, len(rows))
	for i := range rows {
		each[i] = instantiate(cfg, rows[i:i+1], sizes)
	}
	w := Whole{Spec: Spec{Name: name, Shape: slices.Clone(each[0][0].Shape), Layer: -1}}
	for _, specs := range each[1:] {
		w.Shape[0] += specs[0].Shape[0]
	}
	if rows[0].each != "" {
		w.Shape = slices.Insert(w.Shape, 0, len(each[0]))
	}
	for e := range each[0] {
		for _, specs := range each {
			w.Parts = append(w.Parts, specs[e])
		}
	}
	return w
}

// Spelled returns the name of a tensor of the table with what Hugging Face's names begin with. It is that in its files unless
// they have it as a part of another; see ToHF.
func Spelled(cfg config.Config, name string) string {
	t := tableOf(cfg.Family())
	if t == nil || t.hybrid == nil {
		return name
	}
	rest, ok := strings.CutPrefix(name, Backbone)
	switch h := t.hybrid; {
	case name == Embedding:
		return h.prefix + h.embedding
	case name == FinalNorm:
		return h.prefix + h.norm
	case ok:
		return h.prefix + rest
	}
	return name
}

// ToHF returns the name that the tensor of a canonical name has in Hugging Face's files, or what it is a part of there.
func ToHF(cfg config.Config, name string) string {
	t := tableOf(cfg.Family())
	if t == nil || t.hybrid == nil {
		return name
	}
	layer, rest := indexed(name, blockPrefix)
	if layer < 0 {
		return Spelled(cfg, name)
	}
	for _, k := range t.blocks {
		for i := range k.rows {
			if r := &k.rows[i]; r.file != "" && r.is(rest) {
				return Spelled(cfg, instance(blockPrefix, layer, r.file))
			}
		}
	}
	return Spelled(cfg, name)
}

// Origin names what Hugging Face's files have of a stored tensor's parts: the name of one tensor, or of several with an asterisk
// for the numbers of experts.
func Origin(cfg config.Config, parts []Spec) string {
	first, last := ToHF(cfg, parts[0].Name), ToHF(cfg, parts[len(parts)-1].Name)
	if first == last {
		return first
	}
	layer, rest := indexed(parts[0].Name, blockPrefix)
	r := tableOf(cfg.Family()).find(cfg, layer, func(r *row) bool { return r.is(rest) })
	return Spelled(cfg, instance(blockPrefix, layer, strings.Replace(r.name, expertIndex, "*", 1)))
}
