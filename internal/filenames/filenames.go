// Package filenames knows the names of the files that make up a checkpoint folder, and finds files by a pattern of names.
package filenames

import (
	"path/filepath"
	"regexp"
	"slices"

	"github.com/gomamba/gomamba/internal/files"
)

// Tokenizer are the files beside the weights that hold the tokenizer in its forms, and the chat template.
var Tokenizer = []string{
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
	"tokenizer.model", "tokenizer.model.v3", "chat_template.jinja", "chat_template.json",
}

// settings are the configurations of the layouts, and the indexes of shards.
var settings = []string{
	"config.json", "generation_config.json", "hf_config.json", "params.json",
	ModelIndex, TorchIndex,
}

// papers are what a repository on the hub has beside them, and what a file manager leaves.
var papers = []string{"README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", ".gitattributes", ".DS_Store"}

var weights = regexp.MustCompile(`^(?:(?:model|consolidated)(?:-\d{5}-of-\d{5})?\.safetensors|pytorch_model(?:-\d{5}-of-\d{5})?\.bin)$`)

// Weights reports whether a folder of any layout keeps weights under that name.
func Weights(name string) bool { return weights.MatchString(name) }

// Beside reports whether a file of that name goes with the weights: configuration, index, tokenizer, model card, licence.
func Beside(name string) bool {
	return slices.Contains(settings, name) || slices.Contains(Tokenizer, name) || slices.Contains(papers, name)
}

// In returns the paths of what dir holds under names that match a pattern of filepath.Match, in the order of the names. The
// folder's own name may be a pattern and means itself. What cannot be listed holds nothing.
func In(dir, pattern string) (paths []string) {
	found, _ := files.Names(dir, -1)
	for _, name := range found {
		if ok, _ := filepath.Match(pattern, name); ok {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}
