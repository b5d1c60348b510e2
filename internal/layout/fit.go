package layout

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Fit returns cfg with every size and switch that the tensors show taken from them; what they do not show (epsilon, token
// ids, initialisation) stays. If the result is not valid, it is cfg as it was.
func Fit(cfg config.Config, tensors []tensor.Tensor) config.Config {
	was, cfg := cfg, cfg.Clone()
	c := cfg.Shared()
	shape := make(map[string][]int, len(tensors))
	layers, head := 0, false
	for _, t := range tensors {
		name := t.Name
		head = head || strings.HasPrefix(name, strings.TrimSuffix(names.Head, "weight")) // under whatever name
		if !strings.HasPrefix(name, names.Backbone) && name != names.Head {
			name = names.Backbone + name // saved from the bare model
		}
		shape[name] = t.Shape
		if rest, ok := strings.CutPrefix(name, names.Blocks); ok {
			index, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(index); err == nil && i >= layers && i < 1<<20 {
				layers = i + 1
			}
		}
	}
	shown, switches := names.Shown(cfg, shape)
	if layers > 0 {
		shown["L"] = layers
	}
	config.Fit(cfg, shown)
	for _, k := range config.Knobs(cfg) {
		if on, ok := switches[k.Key]; ok {
			*k.Switch = on
		}
	}
	if shape[names.Embedding] != nil && !head {
		c.TieWordEmbeddings = true
	}
	if cfg.Validate() != nil {
		return was
	}
	return cfg
}

// NoteFitted notes in which settings the tensors had the last word.
func (w *Weights) NoteFitted(was, is config.Config) {
	for _, key := range config.Differing(was, is) {
		w.Notes = append(w.Notes, Note{File: w.Source, Where: key,
			Detail: fmt.Sprintf("the config says %s, the tensors %s: using %[2]s", config.Value(was, key), config.Value(is, key))})
	}
}
