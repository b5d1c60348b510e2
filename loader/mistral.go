package loader

import (
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/names"
)

// Mistral's layout, that of Mamba-Codestral:
//
//	params.json               dim, n_layers, n_groups, ...
//	consolidated.safetensors  the state dict of mamba_ssm, every name with "model." in front
//	tokenizer.model.v3        SentencePiece
//
// Early releases have the same under the names config.json and model.safetensors.
const (
	fileParams       = "params.json"
	fileConsolidated = "consolidated.safetensors"
)

var mistralFiles = []struct{ config, weights string }{
	{fileParams, fileConsolidated},
	{fileConfig, fileWeights},
}

// matchMistral leaves a folder that also holds the transformers files to those, which say more.
func matchMistral(dir string) bool {
	params, _ := mistralFolder(dir)
	return params != "" && (filepath.Base(params) == fileConfig || !matchHF(dir))
}

// mistralFolder returns the files of a folder in this layout; none if it is not.
func mistralFolder(dir string) (params, consolidated string) {
	for _, f := range mistralFiles {
		if !exists(filepath.Join(dir, f.weights)) {
			continue
		}
		if f.config == fileParams && exists(filepath.Join(dir, f.config)) || configIs(dir, f.config, config.IsMistral) {
			return filepath.Join(dir, f.config), filepath.Join(dir, f.weights)
		}
	}
	return "", ""
}

func openMistral(dir string) (config.Config, *weights, error) {
	params, consolidated := mistralFolder(dir)
	if params == "" {
		return nil, nil, noMatch(dir) // the files went away after matchMistral saw them
	}
	cfg, err := wholeConfig(params, config.ParseMistral)
	if err != nil {
		return nil, nil, err
	}
	w, err := openSingle(consolidated, openSafetensors)
	if err != nil {
		return nil, nil, err
	}
	w.config = filepath.Base(params)
	w.rename(names.FromMistral)
	return cfg, w, nil
}
