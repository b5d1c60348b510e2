package layout

import (
	"cmp"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/names"
)

// Mistral's layout, that of Mamba-Codestral:
//
//	params.json               dim, n_layers, n_groups, ...
//	consolidated.safetensors  the state dict of mamba_ssm, every name with "model." in front
//	tokenizer.model.v3        SentencePiece
//
// Early releases have the same under the names config.json and model.safetensors.

var mistralFiles = []struct{ config, weights string }{
	{filenames.Params, filenames.Consolidated},
	{filenames.Config, filenames.ModelFile},
}

// matchMistral leaves a folder that also holds the transformers files to those, which say more.
func matchMistral(src Source) bool {
	params, _ := MistralFolder(src)
	return params != "" && (filepath.Base(params) == filenames.Config || !matchHF(src))
}

// MistralFolder returns the files of a folder in this layout; none if it is not.
func MistralFolder(src Source) (params, consolidated string) {
	for _, f := range mistralFiles {
		weights := filepath.Join(src.Dir, cmp.Or(src.File, f.weights))
		if !Exists(weights) {
			continue
		}
		if f.config == filenames.Params && Exists(filepath.Join(src.Dir, f.config)) || configIs(src.Dir, f.config, config.IsMistral) {
			return filepath.Join(src.Dir, f.config), weights
		}
	}
	return "", ""
}

func openMistral(src Source) (config.Config, *Weights, error) {
	params, consolidated := MistralFolder(src)
	if params == "" {
		return nil, nil, noMatch(src.Dir) // the files went away after matchMistral saw them
	}
	cfg, err := wholeConfig(params, config.ParseMistral)
	if err != nil {
		return nil, nil, err
	}
	src.File = filepath.Base(consolidated)
	w, err := openWeights(src, names.MistralPrefix)
	if err != nil {
		return nil, nil, err
	}
	w.ConfigName = filepath.Base(params)
	w.rename(names.FromMistral)
	return cfg, w, nil
}
