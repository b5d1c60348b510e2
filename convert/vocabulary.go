package convert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// maxTokenizer bounds tokenizer.json; the largest published ones take some tens of megabytes.
const maxTokenizer = 1 << 26

// Token types of tokenizer.ggml.token_type (llama.h, enum llama_token_type).
const (
	tokenNormal      = 1
	tokenControl     = 3
	tokenUserDefined = 4
	tokenUnused      = 5
)

// tokenizerJSON is what a GGUF vocabulary takes from tokenizer.json.
type tokenizerJSON struct {
	Normalizer struct {
		Type string `json:"type"`
	} `json:"normalizer"`
	PreTokenizer  preTokenizer `json:"pre_tokenizer"`
	PostProcessor *struct {
		Type string `json:"type"`
	} `json:"post_processor"`
	AddedTokens []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Model struct {
		Type   string            `json:"type"`
		Vocab  map[string]int    `json:"vocab"`
		Merges []json.RawMessage `json:"merges"`
	} `json:"model"`
}

// ggufVocabulary returns the tokenizer keys for a checkpoint folder, "" if it is none: those of its SentencePiece model, or
// of its tokenizer.json where llama.cpp has the same pre-tokenizer, and otherwise a vocabulary of ids alone, with a note
// that says so. As in llama.cpp's converter Mamba-2 prefers the former, the others the latter.
func ggufVocabulary(dir string, cfg config.Config) (kvs []gguf.KV, note string, err error) {
	if dir == "" {
		return noVocabulary(cfg), "the source has no tokenizer: the GGUF has token ids and no text", nil
	}
	path := filepath.Join(dir, "tokenizer.json")
	_, missing := files.Lstat(path)
	if missing != nil || cfg.Family() == config.Mamba2 {
		if kvs, note, err = pieceVocabulary(dir, cfg); kvs != nil || err != nil {
			return kvs, "", err
		}
	}
	if missing != nil {
		return noVocabulary(cfg), cmp.Or(note, "there is no tokenizer.json: the GGUF has token ids and no text"), nil
	}
	data, err := jsonobj.ReadFile(path, maxTokenizer)
	if err != nil {
		return nil, "", err
	}
	var t tokenizerJSON
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, "", &badfile.FormatError{File: path, Detail: err.Error()}
	}
	pre := t.pre()
	if t.Model.Type != "BPE" || pre == "" {
		return noVocabulary(cfg), fmt.Sprintf("tokenizer.json is %s with pre-tokenizer %s, which is not one that gomamba can name for llama.cpp: "+
			"the GGUF has token ids and no text", badfile.Quote(t.Model.Type), badfile.Quote(t.PreTokenizer.Type)), nil
	}
	kvs, err = t.keys(pre, cfg.Shared().VocabSize)
	if err != nil {
		return nil, "", &badfile.FormatError{File: path, Detail: err.Error()}
	}
	kvs = append(kvs, specialTokens(cfg.Shared())...)
	if t.PostProcessor != nil && t.PostProcessor.Type == "ByteLevel" { // nothing is added around a text
		kvs = append(kvs,
			gguf.KV{Key: "tokenizer.ggml.add_bos_token", Value: gguf.Of(false)},
			gguf.KV{Key: "tokenizer.ggml.add_eos_token", Value: gguf.Of(false)})
	}
	return kvs, "", nil
}

// sourceVocabulary returns the tokenizer keys of a GGUF file, as they are.
func sourceVocabulary(kvs []gguf.KV) []gguf.KV {
	var vocabulary []gguf.KV
	for _, kv := range kvs {
		if strings.HasPrefix(kv.Key, "tokenizer.") || strings.HasSuffix(kv.Key, keyVocabSize) {
			vocabulary = append(vocabulary, kv)
		}
	}
	return vocabulary
}

// keyVocabSize tells llama.cpp how many ids there are when there is no text for them. It follows the architecture's name.
const keyVocabSize = ".vocab_size"

// noVocabulary is llama.cpp's vocabulary of type "none".
func noVocabulary(cfg config.Config) []gguf.KV {
	return []gguf.KV{
		{Key: config.Architecture(cfg) + keyVocabSize, Value: gguf.Of(uint32(cfg.Shared().VocabSize))},
		{Key: "tokenizer.ggml.model", Value: gguf.Of("none")},
	}
}

// preTokenizer is the rule that cuts a text into words, or one of its parts.
type preTokenizer struct {
	Type             string `json:"type"`
	AddPrefixSpace   bool   `json:"add_prefix_space"`
	UseRegex         *bool  `json:"use_regex"`
	Behavior         string `json:"behavior"`
	IndividualDigits bool   `json:"individual_digits"`
	Invert           bool   `json:"invert"`
	Pattern          struct {
		Regex string
	} `json:"pattern"`
	Pretokenizers []preTokenizer `json:"pretokenizers"`
}

// byteLevel tells GPT-2's rule.
func (p *preTokenizer) byteLevel() bool {
	return p.Type == "ByteLevel" && !p.AddPrefixSpace && (p.UseRegex == nil || *p.UseRegex)
}

// falcon tells Falcon's: runs of punctuation, GPT-2's rule, runs of digits, three digits at a time.
func (p *preTokenizer) falcon() bool {
	s := p.Pretokenizers
	return p.Type == "Sequence" && len(s) == 4 && s[0].Type == "Punctuation" && s[0].Behavior == "Contiguous" && s[1].byteLevel() &&
		s[2].Type == "Digits" && !s[2].IndividualDigits &&
		s[3].Type == "Split" && s[3].Pattern.Regex == "[0-9][0-9][0-9]" && s[3].Behavior == "Isolated" && !s[3].Invert
}

// pre names normalizer and pre-tokenizer for llama.cpp, which knows them by a model that has them: its converter says
// "olmo" for GPT-NeoX. It is empty where none is known to be the same.
func (t *tokenizerJSON) pre() string {
	switch {
	case t.Normalizer.Type == "NFC" && t.PreTokenizer.byteLevel():
		return "olmo"
	case t.Normalizer.Type == "" && t.PreTokenizer.byteLevel():
		return "gpt-2"
	case t.Normalizer.Type == "" && t.PreTokenizer.falcon():
		return "falcon"
	}
	return ""
}

// keys renders a BPE of bytes as gguf-py's vocabulary does. Ids of the model without a token are padding.
func (t *tokenizerJSON) keys(pre string, vocab int) ([]gguf.KV, error) {
	tokens, types := make([]string, vocab), make([]int32, vocab)
	for id := range tokens {
		tokens[id], types[id] = fmt.Sprintf("[PAD%d]", id), tokenUnused
	}
	set := func(id int, token string, kind int32) error {
		if id < 0 || id >= vocab {
			return fmt.Errorf("token %s has id %d, the model's vocabulary ends at %d", badfile.Quote(token), id, vocab-1)
		}
		tokens[id], types[id] = token, kind
		return nil
	}
	for token, id := range t.Model.Vocab {
		if err := set(id, token, tokenNormal); err != nil {
			return nil, err
		}
	}
	for _, added := range t.AddedTokens {
		kind := int32(tokenUserDefined)
		if added.Special {
			kind = tokenControl
		}
		if err := set(added.ID, added.Content, kind); err != nil {
			return nil, err
		}
	}
	merges := make([]string, len(t.Model.Merges))
	for i, raw := range t.Model.Merges {
		var pair [2]string
		if err := json.Unmarshal(raw, &merges[i]); err == nil {
			continue // the older spelling, "a b"
		}
		if err := json.Unmarshal(raw, &pair); err != nil {
			return nil, fmt.Errorf("merge %d is neither a string nor a pair of strings", i)
		}
		merges[i] = strings.ReplaceAll(pair[0], " ", "Ġ") + " " + strings.ReplaceAll(pair[1], " ", "Ġ")
	}
	return []gguf.KV{
		{Key: "tokenizer.ggml.model", Value: gguf.Of("gpt2")},
		{Key: "tokenizer.ggml.pre", Value: gguf.Of(pre)},
		{Key: "tokenizer.ggml.tokens", Value: gguf.ArrayOf(tokens)},
		{Key: "tokenizer.ggml.token_type", Value: gguf.ArrayOf(types)},
		{Key: "tokenizer.ggml.merges", Value: gguf.ArrayOf(merges)},
	}, nil
}

// specialTokens are the ids that generation goes by.
func specialTokens(cfg *config.Common) []gguf.KV {
	var kvs []gguf.KV
	add := func(name string, id *int) {
		if id != nil && *id >= 0 {
			kvs = append(kvs, gguf.KV{Key: "tokenizer.ggml." + name, Value: gguf.Of(uint32(*id))})
		}
	}
	add("bos_token_id", cfg.BosTokenID)
	if len(cfg.EosTokenID.IDs) > 0 {
		add("eos_token_id", &cfg.EosTokenID.IDs[0])
	}
	add("padding_token_id", cfg.PadTokenID)
	return kvs
}
