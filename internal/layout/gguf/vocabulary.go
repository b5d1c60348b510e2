package gguf

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// maxTokenizer bounds tokenizer.json; the largest published ones take some tens of megabytes.
const maxTokenizer = 1 << 26

// Token types of tokenizer.ggml.token_type (llama.h, enum llama_token_type).
const (
	tokenNormal      = gguf.TokenNormal
	tokenControl     = 3
	tokenUserDefined = 4
	tokenUnused      = 5
)

// tokenizerJSON is what a GGUF vocabulary takes from tokenizer.json.
type tokenizerJSON struct {
	Normalizer    normalizer        `json:"normalizer"`
	PreTokenizer  preTokenizer      `json:"pre_tokenizer"`
	PostProcessor *postProcessor    `json:"post_processor"`
	AddedTokens   []tokenizer.Added `json:"added_tokens"`
	Model         struct {
		Type   string            `json:"type"`
		Vocab  map[string]int    `json:"vocab"`
		Merges []json.RawMessage `json:"merges"`

		IgnoreMerges bool   `json:"ignore_merges"`
		ByteFallback bool   `json:"byte_fallback"`
		Unknown      string `json:"unk_token"`
	} `json:"model"`
}

// vocabularyOf returns the tokenizer keys for a folder, or a tokenizer that is given by itself: those of its
// SentencePiece model, or of its tokenizer.json where llama.cpp has the same pre-tokenizer, and otherwise a vocabulary of
// ids alone, with a note that says so. As in llama.cpp's converter Mamba-2 prefers the former, the others the latter. Keys
// of special tokens and chat templates follow.
func vocabularyOf(x *write.Texts, cfg config.Config) (kvs []gguf.KV, notes []string, err error) {
	kvs, parsed, note, err := tokenKeys(x, cfg)
	if err != nil {
		return nil, nil, err
	}
	if kvs == nil {
		return noVocabulary(cfg), []string{note + ": the GGUF has token ids and no text"}, nil
	}
	special, notes, err := specialKeys(x, parsed, cfg.Shared())
	if _, none := files.Lstat(filepath.Join(x.Dir, "special_tokens_map.json")); none == nil && x.Bad() != nil {
		notes = append(notes, x.Bad().Error()+": special_tokens_map.json is not read")
	}
	return append(kvs, special...), notes, err
}

// tokenKeys returns the keys of the tokens, and the tokenizer.json that they are from. If there are none, why says so.
func tokenKeys(x *write.Texts, cfg config.Config) (kvs []gguf.KV, parsed *tokenizerJSON, why string, err error) {
	path, pieces := filepath.Join(x.Dir, filenames.TokenizerJSON), pieceFiles(x.Dir)
	if x.Main != "" {
		path, pieces = x.Main, []string{x.Main}
	}
	isJSON := false
	if x.Main == "" || filepath.Ext(path) == ".json" {
		_, missing := files.Lstat(path)
		isJSON = missing == nil
	}
	if !isJSON || config.SentencePieceFirst(cfg) && x.Main == "" {
		if kvs, why, err = pieceVocabulary(pieces, cfg); kvs != nil || err != nil {
			return spacedBeside(path, kvs), nil, "", err
		}
	}
	if !isJSON {
		return nil, nil, cmp.Or(why, "there is no tokenizer.json"), nil
	}
	data, err := jsonobj.ReadFile(path, maxTokenizer)
	if err != nil {
		return nil, nil, "", err
	}
	t, err := parseTokenizer(data)
	if err != nil {
		return nil, nil, "", &badfile.FormatError{File: path, Detail: err.Error()}
	}
	pre, ok := t.pre(cfg.Family())
	if t.Model.Type != "BPE" || !ok {
		if x.Main == "" {
			if kvs, _, err = pieceVocabulary(pieces, cfg); kvs != nil || err != nil {
				return t.spaced(kvs), nil, "", err
			}
		}
		kvs, ok, err := t.pieces(path, added(x, &t), cfg.Shared().VocabSize)
		if err != nil {
			return nil, nil, "", &badfile.FormatError{File: path, Detail: err.Error()}
		}
		if ok {
			return kvs, &t, "", nil
		}
		return nil, nil, fmt.Sprintf("tokenizer.json is %s with pre-tokenizer %s, which is not one that gomamba can name for llama.cpp",
			badfile.Quote(t.Model.Type), badfile.Quote(t.PreTokenizer.Type)), nil
	}
	if kvs, err = t.keys(pre.Name, added(x, &t), cfg.Shared().VocabSize); err != nil {
		return nil, nil, "", &badfile.FormatError{File: path, Detail: err.Error()}
	}
	return kvs, &t, "", nil
}

// added returns the added tokens of a tokenizer.json, with those that the files beside it add.
func added(x *write.Texts, parsed *tokenizerJSON) []tokenizer.Added {
	if t := x.Open(); t != nil {
		return t.Added()
	}
	return parsed.AddedTokens
}

// noVocabulary is llama.cpp's vocabulary of type "none".
func noVocabulary(cfg config.Config) []gguf.KV {
	return []gguf.KV{
		{Key: config.Architecture(cfg) + gguf.KeyVocabSize, Value: gguf.Of(uint32(cfg.Shared().VocabSize))},
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
	Replacement      string `json:"replacement"`
	PrependScheme    string `json:"prepend_scheme"`
	Split            *bool  `json:"split"`
	Invert           bool   `json:"invert"`
	Pattern          struct {
		Regex string
	} `json:"pattern"`
	Pretokenizers []preTokenizer `json:"pretokenizers"`
}

// stated returns the rule with what it says by default.
func (p preTokenizer) stated() preTokenizer {
	if yes := true; p.Type == "ByteLevel" && p.UseRegex == nil {
		p.UseRegex = &yes
	}
	if p.Behavior == "Removed" && p.Invert && tokenizer.Covers(p.Pattern.Regex) {
		p.Behavior, p.Invert = "Isolated", false // nothing lies between matches
	}
	p.Pretokenizers = slices.Clone(p.Pretokenizers)
	for i := range p.Pretokenizers {
		p.Pretokenizers[i] = p.Pretokenizers[i].stated()
	}
	return p
}

// pre names normalizer and pre-tokenizer for llama.cpp, which knows them by a model that has them: its converter says
// "olmo" for GPT-NeoX, and for the same rule another name if it is that of the family. ok is false if none is known to be the same.
func (t *tokenizerJSON) pre(family config.Family) (pre tokenizer.Pre, ok bool) {
	own := t.PreTokenizer.stated()
	for _, p := range tokenizer.Pres {
		same := t.has(p, own)
		if same && p.Family == string(family) {
			return p, true
		}
		if same && !ok {
			pre, ok = p, true
		}
	}
	return pre, ok
}

// has reports whether normalizer and pre-tokenizer, own, are those of a name.
func (t *tokenizerJSON) has(pre tokenizer.Pre, own preTokenizer) bool {
	var p preTokenizer
	if err := json.Unmarshal([]byte(pre.Split), &p); err != nil {
		panic(err) // a constant
	}
	normalizer := ""
	if pre.NFC {
		normalizer = "NFC"
	}
	return t.Normalizer.Type == normalizer && t.Model.IgnoreMerges == pre.IgnoreMerges && reflect.DeepEqual(p.stated(), own)
}

// addedType is the type of an added token. Some are special though they are not marked.
func addedType(token string, special bool) int32 {
	wrapped := func(before, after string) bool {
		return strings.HasPrefix(token, before) && strings.HasSuffix(token, after)
	}
	if special || wrapped("<|", "|>") || wrapped("<｜", "｜>") || wrapped("<unused", ">") ||
		slices.Contains([]string{"<pad>", "<mask>", "<2mass>", "[@BOS@]"}, token) {
		return tokenControl
	}
	return tokenUserDefined
}

// keys renders a BPE of bytes as gguf-py's vocabulary does. Ids of the model without a token are padding.
func (t *tokenizerJSON) keys(pre string, added []tokenizer.Added, vocab int) ([]gguf.KV, error) {
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
	for _, a := range added {
		if err := set(a.ID, a.Content, addedType(a.Content, a.Special)); err != nil {
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
