package loader

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// trust returns cfg with every size and switch that the tensors tell taken from them, and notes what was changed.
// What they do not tell (epsilon, token ids, initialisation) stays. Where the result is not valid, cfg stays whole and
// the contradiction is reported as it would be without trust.
func trust(cfg config.Config, w *weights) config.Config {
	c, ok := cfg.Clone().(*config.MambaConfig)
	if !ok {
		return cfg
	}
	shape := make(map[string][]int, len(w.tensors))
	layers := 0
	for _, t := range w.tensors {
		name := t.Name
		if !strings.HasPrefix(name, barePrefix) && name != nameHead {
			name = barePrefix + name // saved from the bare model
		}
		shape[name] = t.Shape
		if rest, ok := strings.CutPrefix(name, blocksPrefix); ok {
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
	mixer := blocksPrefix + "0.mixer."
	if layers > 0 {
		c.NumHiddenLayers = layers
	}
	at(nameHead, 2, 0, &c.VocabSize)
	at(nameEmbedding, 2, 0, &c.VocabSize)
	at(nameEmbedding, 2, 1, &c.HiddenSize)
	at(mixer+"A_log", 2, 0, &c.IntermediateSize)
	at(mixer+"A_log", 2, 1, &c.StateSize)
	at(mixer+"conv1d.weight", 3, 2, &c.ConvKernel)
	at(mixer+"dt_proj.weight", 2, 1, &c.TimeStepRank)
	if c.HiddenSize > 0 && c.IntermediateSize%c.HiddenSize == 0 && c.IntermediateSize > 0 {
		c.Expand = c.IntermediateSize / c.HiddenSize
	}
	_, c.UseBias = shape[mixer+"in_proj.bias"]
	_, c.UseConvBias = shape[mixer+"conv1d.bias"]
	if _, head := shape[nameHead]; !head {
		c.TieWordEmbeddings = true
	}
	if c.Validate() != nil {
		return cfg
	}
	w.noteTrust(cfg.(*config.MambaConfig), c)
	return c
}

// noteTrust warns of every key that the tensors changed.
func (w *weights) noteTrust(was, is *config.MambaConfig) {
	for _, key := range []struct {
		name    string
		was, is any
	}{
		{"num_hidden_layers", was.NumHiddenLayers, is.NumHiddenLayers}, {"vocab_size", was.VocabSize, is.VocabSize},
		{"hidden_size", was.HiddenSize, is.HiddenSize}, {"intermediate_size", was.IntermediateSize, is.IntermediateSize},
		{"expand", was.Expand, is.Expand}, {"state_size", was.StateSize, is.StateSize}, {"conv_kernel", was.ConvKernel, is.ConvKernel},
		{"time_step_rank", was.TimeStepRank, is.TimeStepRank}, {"use_bias", was.UseBias, is.UseBias},
		{"use_conv_bias", was.UseConvBias, is.UseConvBias}, {"tie_word_embeddings", was.TieWordEmbeddings, is.TieWordEmbeddings},
	} {
		if key.was != key.is {
			w.notes = append(w.notes, fault{severity: Warning, file: w.source, where: key.name,
				detail: fmt.Sprintf("the config says %v, the tensors %v: using %v", key.was, key.is, key.is)})
		}
	}
}
