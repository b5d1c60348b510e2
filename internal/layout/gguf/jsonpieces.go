package gguf

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// tokenByte is the type of a token that stands for a byte.
const tokenByte = 6

// normalizer is how a text is written before it is cut, or a part of that.
type normalizer struct {
	Type    string `json:"type"`
	Prepend string `json:"prepend"`
	Content string `json:"content"`
	Pattern struct {
		String string
	} `json:"pattern"`
	Normalizers []normalizer `json:"normalizers"`
}

// spaces reports whether a tokenizer.json writes spaces as SentencePiece's models do, and whether it always puts one before a text. To
// put one there only if the text does not begin with one is a setting that GGUF cannot express.
func (t *tokenizerJSON) spaces() (before, ok bool) {
	const space = "▁"
	replaces := func(n normalizer) bool { return n.Type == "Replace" && n.Pattern.String == " " && n.Content == space }
	list := t.Normalizer.Normalizers
	if t.Normalizer.Type == "Replace" {
		list = []normalizer{t.Normalizer}
	}
	split := t.PreTokenizer
	switch {
	case t.Model.Type != "BPE" || !t.Model.ByteFallback || t.Model.IgnoreMerges:
		return false, false
	case split.Type == "" && len(list) == 1 && replaces(list[0]):
		return false, true
	case split.Type == "" && len(list) == 2 && replaces(list[1]):
		return true, list[0].Type == "Prepend" && list[0].Prepend == space
	}
	return false, t.Normalizer.Type == "" && split.Type == "Metaspace" && split.Replacement == space && split.PrependScheme == "never" && split.Split != nil && !*split.Split
}

// spaced returns the keys of a SentencePiece model with texts begun as the tokenizer.json beside it begins them: transformers uses that.
func (t *tokenizerJSON) spaced(kvs []gguf.KV) []gguf.KV {
	before, ok := t.spaces()
	if !ok {
		return kvs
	}
	kvs = slices.DeleteFunc(kvs, func(kv gguf.KV) bool { return kv.Key == keySpaceBefore })
	if !before {
		kvs = append(kvs, gguf.KV{Key: keySpaceBefore, Value: gguf.Of(false)})
	}
	return kvs
}

// spacedBeside is spaced for the tokenizer.json at path, if there is one that can be read.
func spacedBeside(path string, kvs []gguf.KV) []gguf.KV {
	data, err := jsonobj.ReadFile(path, maxTokenizer)
	if err != nil {
		return kvs
	}
	t, err := parseTokenizer(data)
	if err != nil {
		return kvs
	}
	return t.spaced(kvs)
}

// pieces returns the keys of a tokenizer.json that was made of a SentencePiece model. llama.cpp cuts a text by the scores of tokens,
// which the order of the merges gives: ok is false if it would cut otherwise.
func (t *tokenizerJSON) pieces(path string, added []tokenizer.Added, vocab int) (kvs []gguf.KV, ok bool, err error) {
	before, ok := t.spaces()
	if !ok {
		return nil, false, nil
	}
	merges, err := t.pairs()
	if err != nil {
		return nil, false, err
	}
	p := &tokenizer.Pieces{Texts: make([]string, vocab), Scores: make([]float32, vocab), Types: make([]int32, vocab), SpaceBefore: before}
	for id := range p.Texts {
		p.Texts[id], p.Scores[id], p.Types[id] = fmt.Sprintf("[PAD%d]", id), padScore, tokenUnused
	}
	rank := make(map[string]int, len(merges))
	for i, m := range merges {
		if _, known := rank[m[0]+m[1]]; !known {
			rank[m[0]+m[1]] = i
		}
	}
	for token, id := range t.Model.Vocab {
		if id < 0 || id >= vocab {
			return nil, false, outside(token, id, vocab)
		}
		made, isMade := rank[token]
		if !isMade {
			made = len(merges) + id
		}
		p.Texts[id], p.Scores[id], p.Types[id] = token, float32(-made), tokenNormal
		if isByte(token) {
			p.Types[id] = tokenByte
		}
	}
	for _, a := range added {
		if a.ID < 0 || a.ID >= vocab {
			return nil, false, outside(a.Content, a.ID, vocab)
		}
		p.Texts[a.ID], p.Types[a.ID] = a.Content, addedType(a.Content, a.Special)
		if a.Content == t.Model.Unknown {
			p.Types[a.ID] = tokenUnknown
		}
	}
	kvs = pieceKeys(p)
	return kvs, t.same(path, kvs, merges, added), nil
}

// tokenUnknown is the type of the token that stands for what the vocabulary cannot spell.
const tokenUnknown = 2

// isByte reports whether a token is spelled <0xNN>.
func isByte(token string) bool {
	var b byte
	n, err := fmt.Sscanf(token, "<0x%02X>", &b)
	return n == 1 && err == nil && token == fmt.Sprintf("<0x%02X>", b)
}

func outside(token string, id, vocab int) error {
	return fmt.Errorf("token %q has id %d, the model's vocabulary ends at %d", token, id, vocab-1)
}

// pairs are the merges, in whichever spelling.
func (t *tokenizerJSON) pairs() ([][2]string, error) {
	list := make([][2]string, len(t.Model.Merges))
	for i, raw := range t.Model.Merges {
		var text string
		if err := json.Unmarshal(raw, &list[i]); err == nil {
			continue
		}
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("merge %d is neither a string nor a pair of strings", i)
		}
		list[i][0], list[i][1], _ = strings.Cut(text, " ")
	}
	return list, nil
}

// same reports whether the tokenizer.json that is made of these keys would cut every text as this one does: it has the same merges
// in the same order, and finds the same tokens in a text before that.
func (t *tokenizerJSON) same(path string, kvs []gguf.KV, merges [][2]string, added []tokenizer.Added) bool {
	text, err := tokenizer.RenderGGUF(path, kvs)
	if err != nil {
		return false
	}
	back, err := parseTokenizer(text)
	if err != nil {
		return false
	}
	theirs, err := back.pairs()
	plain := func(list []tokenizer.Added) []tokenizer.Added {
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b tokenizer.Added) int { return a.ID - b.ID })
		return list
	}
	return err == nil && slices.Equal(merges, theirs) && reflect.DeepEqual(plain(added), plain(back.AddedTokens))
}
