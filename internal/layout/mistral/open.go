package mistral

import (
	"cmp"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/names"
)

// Mistral's layout, that of Mamba-Codestral:
//
//	params.json               dim, n_layers, n_groups, ...
//	consolidated.safetensors  the state dict of mamba_ssm, every name with "model." in front
//	tokenizer.model.v3        SentencePiece
//
// Early releases have the same under the names config.json and model.safetensors.

// folders are the names that the files have.
var folders = []struct{ config, weights string }{
	{filenames.Params, filenames.Consolidated},
	{filenames.Config, filenames.ModelFile},
}

// Name of the layout.
const Name = "mistral"

// Layout is the layout of Mamba-Codestral.
var Layout = layout.Layout{
	Name: Name, OneFile: true, Asked: asked, Match: match, Open: folder.Open, Folder: folder, List: folder.List,
	StoredName: func(_ config.Config, name string) string { return names.ToMistral(name) },
	Stops:      layout.Stops, Generation: layout.Generation, NewTarget: newTarget,
	Repo: layout.Repo{Configs: []string{filenames.Params, filenames.Config}, Weights: []string{filenames.Consolidated, filenames.ModelFile}},
}

var folder = &layout.Folder{
	Config: configOf, Weights: weightsOf,
	Is: config.IsMistral, Parse: config.ParseMistral, Encode: config.Config.EncodeMistral,
	Prefix: func(config.Config) string { return names.MistralPrefix }, Canonical: names.FromMistral,
}

// asked recognises the files of the layout by name, whatever else their folder holds.
func asked(path string) (layout.Source, bool) {
	if name := filepath.Base(path); name != filenames.Params && name != filenames.Consolidated {
		return layout.Source{}, false
	}
	src, err := layout.SourceOf(path)
	params, _ := find(src)
	return src, err == nil && params != ""
}

// match leaves a folder that also holds the transformers files to those, which say more.
func match(src layout.Source) bool {
	params, _ := find(src)
	return params != "" && (filepath.Base(params) == filenames.Config || !hf.Match(src))
}

// find returns the files of a folder in this layout; none if it is not.
func find(src layout.Source) (params, consolidated string) {
	for _, f := range folders {
		weights := filepath.Join(src.Dir, cmp.Or(src.File, f.weights))
		if !layout.Exists(weights) {
			continue
		}
		if f.config == filenames.Params && layout.Exists(filepath.Join(src.Dir, f.config)) || layout.ConfigIs(src.Dir, f.config, config.IsMistral) {
			return filepath.Join(src.Dir, f.config), weights
		}
	}
	return "", ""
}

// configOf names params.json if the folder is not in the layout.
func configOf(src layout.Source) string {
	params, _ := find(src)
	return cmp.Or(params, filepath.Join(src.Dir, filenames.Params))
}

func weightsOf(src layout.Source) (string, error) {
	_, consolidated := find(src)
	if consolidated == "" {
		return "", layout.NoMatch(src)
	}
	return consolidated, nil
}
