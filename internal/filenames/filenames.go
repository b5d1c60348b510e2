// Package filenames knows the names of the files that make up a checkpoint folder, and finds files by a pattern of names.
package filenames

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/lazy"
)

// Configurations of a model.
const (
	Config     = "config.json"            // of the Hugging Face and the original layout
	Params     = "params.json"            // of mistral's
	Generation = "generation_config.json" // how to generate, in every layout that is a folder
	// Whole is the transformers config of a checkpoint that was one before, if the keys of its layout do not say it all: an
	// addition of ours, which mamba_ssm and mistral-inference do not look at.
	Whole         = "hf_config.json"
	AdapterConfig = "adapter_config.json" // of PEFT
	AdapterModel  = "adapter_model.safetensors"
	AdapterTorch  = "adapter_model.bin"
)

// Configs are the configurations of the layouts.
var Configs = []string{Config, Generation, Whole, Params}

// Files of a tokenizer and of chat templates.
const (
	TokenizerJSON   = "tokenizer.json"
	SentencePiece   = "tokenizer.model"
	SentencePieceV3 = "tokenizer.model.v3" // mistral adds the version of its format
	TokenizerConfig = "tokenizer_config.json"
	SpecialTokens   = "special_tokens_map.json"
	AddedTokens     = "added_tokens.json"
	Template        = "chat_template.jinja"
	TemplateJSON    = "chat_template.json"
	Templates       = "additional_chat_templates" // a folder of more
)

// Vocabularies are the files that a tokenizer is read from, in this order.
var Vocabularies = []string{TokenizerJSON, SentencePiece, SentencePieceV3}

// Tokenizer are the files beside the weights that hold the tokenizer in its forms, and the chat template.
var Tokenizer = []string{
	TokenizerJSON, TokenizerConfig, SpecialTokens, AddedTokens, "vocab.json", "merges.txt",
	SentencePiece, SentencePieceV3, Template, TemplateJSON,
}

// indexes are those of shards.
var indexes = []string{ModelIndex, TorchIndex}

// papers are what a repository on the hub has beside them, and what a file manager leaves.
var papers = []string{"README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", ".gitattributes", ".DS_Store"}

var weights = lazy.Regexp(`^(?:(?:model|consolidated)(?:-\d{5}-of-\d{5})?\.safetensors|pytorch_model(?:-\d{5}-of-\d{5})?\.bin)$`)

// Weights reports whether a folder of any layout keeps weights under that name.
func Weights(name string) bool { return weights().MatchString(name) }

// Beside reports whether a file of that name goes with the weights: configuration, index, tokenizer, model card, licence.
func Beside(name string) bool {
	return slices.Contains(Configs, name) || slices.Contains(indexes, name) || slices.Contains(Tokenizer, name) || slices.Contains(papers, name)
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

// GGUF returns the GGUF file that a folder stands for: its only one, or the first part of its only split.
func GGUF(dir string) (path string, ok bool) {
	found := In(dir, "*.gguf")
	if len(found) == 0 {
		return "", false
	}
	if len(found) > 1 && !strings.HasSuffix(found[0], fmt.Sprintf("-00001-of-%05d.gguf", len(found))) {
		return "", false
	}
	return found[0], true
}
