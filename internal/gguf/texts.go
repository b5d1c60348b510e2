package gguf

import (
	"slices"
	"strings"
)

// KeyTokenizer begins the keys of a tokenizer (gguf-py/gguf/constants.py, Keys.Tokenizer).
const KeyTokenizer = "tokenizer.ggml."

// KeyGeneration holds what generation_config.json says in a folder. The key is ours, for what llama.cpp does not have keys for.
const KeyGeneration = "gomamba.generation_config"

// KeyFloat32 lists the tensors that a folder had in float32 although its matrices have fewer bits, as its files name them. A GGUF file
// has all vectors in float32. The key is ours.
const KeyFloat32 = "gomamba.float32"

// TokenNormal is the type of a token of ordinary text in tokenizer.ggml.token_type (llama.h, enum llama_token_type).
const TokenNormal = 1

// KeyVocabSize says to llama.cpp how many ids there are when there is no text for them. It follows the architecture's name.
const KeyVocabSize = ".vocab_size"

// SpecialTokens are the types of special tokens; the key of each, behind KeyTokenizer.
var SpecialTokens = map[string]string{
	"bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "sep": "seperator_token_id", "pad": "padding_token_id",
	"mask": "mask_token_id", "eot": "eot_token_id", "eom": "eom_token_id",
}

// Vocabulary returns the keys of the tokenizer among those of a file, as they are.
func Vocabulary(kvs []KV) []KV {
	var vocabulary []KV
	for _, kv := range kvs {
		if strings.HasPrefix(kv.Key, "tokenizer.") || strings.HasSuffix(kv.Key, KeyVocabSize) {
			vocabulary = append(vocabulary, kv)
		}
	}
	return vocabulary
}

// Keys of chat templates: the default one, those of other names behind a dot, and the list of these names.
const (
	KeyTemplate      = "tokenizer.chat_template"
	KeyTemplateNames = "tokenizer.chat_templates"
)

// DefaultTemplate is the name of the template that is used unless another is asked for.
const DefaultTemplate = "default"

// Template is one of several chat templates.
type Template struct{ Name, Text string }

// Templates reads the chat templates in the keys of a file, the default one first.
func Templates(kvs []KV) (all []Template) {
	for _, kv := range kvs {
		name, ok := strings.CutPrefix(kv.Key, KeyTemplate+".")
		if kv.Key == KeyTemplate {
			name, ok = DefaultTemplate, true
		}
		if text, err := kv.Value.Str(); ok && err == nil {
			all = append(all, Template{name, text})
		}
	}
	slices.SortStableFunc(all, func(a, b Template) int {
		switch {
		case a.Name == DefaultTemplate:
			return -1
		case b.Name == DefaultTemplate:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}
