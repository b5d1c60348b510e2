// Package names holds the one table of tensor names, shapes and transforms, in Hugging Face naming, which is canonical
// here.
//
// The table of a family is static and in the order the model uses its tensors. Loading, binding and writing go through
// it, in every layout, and so does the judgement of a name that should not be there.
package names

import (
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
	rows := rowsOf(cfg.Family())
	if rows == nil {
		return nil, &badfile.UnsupportedError{Where: "model_type", Detail: "no tensor names are known for " +
			badfile.Quote(string(cfg.Family()))}
	}
	return instantiate(rows, sizesOf(cfg), cfg.Shared().NumHiddenLayers), nil
}

// instantiate names and sizes rows. Consecutive block rows are repeated together, block by block.
func instantiate(rows []row, s sizes, layers int) []Spec {
	var specs []Spec
	for len(rows) > 0 {
		n := 0
		for n < len(rows) && strings.HasPrefix(rows[n].pattern, blockPrefix) {
			n++
		}
		if n == 0 {
			specs = appendSpecs(specs, rows[:1], s, -1)
			rows = rows[1:]
			continue
		}
		block := appendSpecs(nil, rows[:n], s, 0)
		for i := range layers {
			for _, spec := range block {
				spec.Layer = i
				spec.Name = instance(spec.Name, strconv.Itoa(i))
				specs = append(specs, spec)
			}
		}
		rows = rows[n:]
	}
	return specs
}

// appendSpecs appends the rows that s asks for, named by their patterns.
func appendSpecs(specs []Spec, rows []row, s sizes, layer int) []Spec {
	for _, r := range rows {
		p := required
		if r.when != nil {
			p = r.when(s)
		}
		if p != absent {
			specs = append(specs, Spec{Name: r.pattern, Shape: r.shape(s), Optional: p == optional, Layer: layer})
		}
	}
	return specs
}

// Own reports whether name belongs to the naming of cfg's family: it is in the table for some block index and some
// configuration, or Rename knows what it was meant to be. Such a name that Table does not list contradicts the
// configuration (a block beyond num_hidden_layers, an in_proj.bias without use_bias, a misspelt embedding).
// Every other name is foreign, such as a stray buffer.
func Own(cfg config.Config, name string) bool {
	if _, ok := Rename(name); ok {
		return true
	}
	return fits(rowsOf(cfg.Family()), name)
}

// fits reports whether name is an instance of a pattern of rows.
func fits(rows []row, name string) bool {
	_, pattern := indexed(name, blockPrefix)
	for _, r := range rows {
		if r.pattern == pattern {
			return true
		}
	}
	return false
}

// indexed splits a name into the index of its block, as it is spelled, and the pattern it is an instance of. The index
// of a name that does not begin as prefix does is empty, and the pattern the name itself.
func indexed(name, prefix string) (index, pattern string) {
	before, after, _ := strings.Cut(prefix, "{i}")
	rest, ok := strings.CutPrefix(name, before)
	if !ok {
		return "", name
	}
	index, tail, _ := strings.Cut(rest, after)
	if n, err := strconv.Atoi(index); err != nil || n < 0 || strconv.Itoa(n) != index {
		return "", "" // of no table: before is in no pattern without an index
	}
	return index, prefix + tail
}

// instance puts the index of a block into a pattern.
func instance(pattern, index string) string { return strings.Replace(pattern, "{i}", index, 1) }
