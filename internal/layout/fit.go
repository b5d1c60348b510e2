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
	at := func(name string, dims, axis int, p *int) {
		if s, ok := shape[name]; ok && len(s) == dims {
			*p = s[axis]
		}
	}
	const mixer = names.Blocks + "0.mixer."
	if layers > 0 {
		c.NumHiddenLayers = layers
	}
	at(names.Head, 2, 0, &c.VocabSize)
	at(names.Embedding, 2, 0, &c.VocabSize)
	at(names.Embedding, 2, 1, &c.HiddenSize)
	at(mixer+"conv1d.weight", 3, 2, &c.ConvKernel)
	if m := config.Selective(cfg); m != nil {
		at(mixer+"A_log", 2, 0, &m.IntermediateSize)
		at(mixer+"A_log", 2, 1, &c.StateSize)
		at(mixer+"dt_proj.weight", 2, 1, &m.TimeStepRank)
		fitExpand(c, m.IntermediateSize)
	} else if m, ok := cfg.(*config.Mamba2Config); ok {
		inner, channels := 0, 0
		at(mixer+"norm.weight", 1, 0, &inner)
		at(mixer+"A_log", 1, 0, &m.NumHeads)
		at(mixer+"conv1d.weight", 3, 0, &channels)
		fitExpand(c, inner)
		if m.NumHeads > 0 && inner%m.NumHeads == 0 && inner > 0 {
			m.HeadDim = inner / m.NumHeads
		}
		// The shapes tell n_groups*state_size and not which is which: the config's state_size stands where it divides, or else
		// its n_groups.
		switch both := (channels - inner) / 2; {
		case both <= 0 || both == m.NGroups*m.StateSize:
		case both%m.StateSize == 0:
			m.NGroups = both / m.StateSize
		case both%m.NGroups == 0:
			m.StateSize = both / m.NGroups
		}
	}
	has := func(name string) bool { return shape[name] != nil }
	if has(mixer + "in_proj.weight") {
		c.UseBias = has(mixer + "in_proj.bias")
	}
	if has(mixer + "conv1d.weight") {
		c.UseConvBias = has(mixer + "conv1d.bias")
	}
	if has(names.Embedding) && !head {
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

// fitExpand makes expand the ratio of the widths, where it is one.
func fitExpand(c *config.Common, inner int) {
	if c.HiddenSize > 0 && inner > 0 && inner%c.HiddenSize == 0 {
		c.Expand = inner / c.HiddenSize
	}
}
