// Package names holds the one table of tensor names and shapes, in Hugging Face naming, which is canonical here.
//
// The table of a family is static and in the order the model uses its tensors. Loading, binding and writing go through
// it, and so does the judgement of a name that should not be there.
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

// presence says what a configuration asks of a tensor.
type presence uint8

const (
	required presence = iota
	optional
	absent
)

// row is one line of a family's table. In the pattern, blockPrefix stands for every block.
type row[C config.Config] struct {
	pattern string
	shape   func(C) []int
	when    func(C) presence // nil: required
}

// blockPrefix starts the patterns of tensors that every block has; {i} is the block's index.
const blockPrefix = "backbone.layers.{i}."

// Table lists the tensors that a checkpoint of cfg holds, in the order the model uses them.
// The error is a *badfile.UnsupportedError for a family without a table.
func Table(cfg config.Config) ([]Spec, error) {
	switch c := cfg.(type) {
	case *config.MambaConfig:
		return instantiate(mamba1, c), nil
	default:
		return nil, &badfile.UnsupportedError{Where: "model_type", Detail: "no tensor names are known for " +
			badfile.Quote(string(cfg.Family()))}
	}
}

// instantiate names and sizes rows for c. Consecutive block rows are repeated together, block by block.
func instantiate[C config.Config](rows []row[C], c C) []Spec {
	var specs []Spec
	for len(rows) > 0 {
		n := 0
		for n < len(rows) && strings.HasPrefix(rows[n].pattern, blockPrefix) {
			n++
		}
		if n == 0 {
			specs = appendSpecs(specs, rows[:1], c, -1)
			rows = rows[1:]
			continue
		}
		block := appendSpecs(nil, rows[:n], c, 0)
		for i := range c.Shared().NumHiddenLayers {
			for _, s := range block {
				s.Layer = i
				s.Name = strings.Replace(blockPrefix, "{i}", strconv.Itoa(i), 1) + s.Name[len(blockPrefix):]
				specs = append(specs, s)
			}
		}
		rows = rows[n:]
	}
	return specs
}

// appendSpecs appends the rows that c asks for, named by their patterns.
func appendSpecs[C config.Config](specs []Spec, rows []row[C], c C, layer int) []Spec {
	for _, r := range rows {
		p := required
		if r.when != nil {
			p = r.when(c)
		}
		if p != absent {
			specs = append(specs, Spec{Name: r.pattern, Shape: r.shape(c), Optional: p == optional, Layer: layer})
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
	switch cfg.(type) {
	case *config.MambaConfig:
		return fits(mamba1, name)
	default:
		return false
	}
}

// fits reports whether name is an instance of a pattern of rows.
func fits[C config.Config](rows []row[C], name string) bool {
	tail, inBlock := blockTail(name)
	for _, r := range rows {
		pattern, perBlock := strings.CutPrefix(r.pattern, blockPrefix)
		if perBlock == inBlock && pattern == tail {
			return true
		}
	}
	return false
}

// blockTail cuts the prefix that blockPrefix stands for, with some index, from name; others are returned whole.
func blockTail(name string) (tail string, inBlock bool) {
	before, _, _ := strings.Cut(blockPrefix, "{i}")
	rest, ok := strings.CutPrefix(name, before)
	if !ok {
		return name, false
	}
	index, tail, ok := strings.Cut(rest, ".")
	if !ok || index == "" || strings.Trim(index, "0123456789") != "" {
		return name, false
	}
	return tail, true
}
