package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
)

// RenderGGUF renders the tokenizer that the keys of a GGUF file describe as a tokenizer.json, and makes sure that every
// token has the same id, bytes and meaning in it. path stands for the file in errors. Those of FromGGUF, and a
// *badfile.UnsupportedError for a vocabulary that would have other ids as a tokenizer.json.
func RenderGGUF(path string, kvs []gguf.KV) ([]byte, error) {
	k := newKeys(path, kvs)
	t, err := k.build()
	if err != nil {
		return nil, err
	}
	pieces, err := k.pieces()
	if err != nil {
		return nil, err
	}
	r := &rendering{keys: k, t: t, pieces: pieces, kept: keptByAdded(pieces)}
	if err := r.check(); err != nil {
		return nil, inFile(path, err)
	}
	file := rendered{Version: "1.0", Added: r.added(), Post: r.around()}
	if err := r.fill(&file); err != nil {
		return nil, inFile(path, err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(file); err != nil {
		return nil, err
	}
	back, err := Parse(path, b.Bytes())
	if err != nil {
		return nil, err
	}
	if err := r.same(back); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// rendered is a tokenizer.json, with its keys in the order in which the tokenizers library writes them.
type rendered struct {
	Version    string          `json:"version"`
	Truncation *struct{}       `json:"truncation"`
	Padding    *struct{}       `json:"padding"`
	Added      []renderedToken `json:"added_tokens"`
	Normalizer json.RawMessage `json:"normalizer"`
	Split      json.RawMessage `json:"pre_tokenizer"`
	Post       any             `json:"post_processor"`
	Decoder    json.RawMessage `json:"decoder"`
	Model      renderedModel   `json:"model"`
}

type renderedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type renderedModel struct {
	Type         string        `json:"type"`
	Dropout      *float64      `json:"dropout"`
	Unknown      *string       `json:"unk_token"`
	Prefix       *string       `json:"continuing_subword_prefix"`
	Suffix       *string       `json:"end_of_word_suffix"`
	FuseUnknown  bool          `json:"fuse_unk"`
	ByteFallback bool          `json:"byte_fallback"`
	IgnoreMerges bool          `json:"ignore_merges"`
	Vocab        renderedVocab `json:"vocab"`
	Merges       [][2]string   `json:"merges"`
}

// renderedVocab is an object of tokens and ids, by id.
type renderedVocab []renderedID

type renderedID struct {
	token string
	id    int
}

// MarshalJSON implements json.Marshaler.
func (v renderedVocab) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, entry := range v {
		if i > 0 {
			b = append(b, ',')
		}
		text, err := json.Marshal(entry.token)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(append(b, text...), ":%d", entry.id)
	}
	return append(b, '}'), nil
}

// rendering is what a tokenizer.json is made of.
type rendering struct {
	*keys
	t      *Tokenizer
	pieces []piece
	kept   int // the first of the tokens that are only among added_tokens
}

// isAdded reports whether a token is found in a text before the model sees it.
func (p piece) isAdded() bool {
	return p.kind == controlPiece || p.kind == unknownPiece || p.kind == definedPiece
}

// keptByAdded returns from which id on added_tokens alone gives tokens the ids that they have: those behind the model's
// vocabulary, if neither has a gap. It is how tokenizers are trained, and then extended.
func keptByAdded(pieces []piece) int {
	first, end := 0, len(pieces)
	for id, p := range pieces {
		if !p.isAdded() && p.kind != unusedPiece {
			first = id + 1
		}
	}
	for end > first && pieces[end-1].kind == unusedPiece {
		end--
	}
	for _, p := range pieces[:end] {
		if p.kind == unusedPiece {
			return len(pieces)
		}
	}
	return first
}

// check refuses what a tokenizer.json cannot say.
func (r *rendering) check() error {
	other := func(where, format string, args ...any) error {
		return &badfile.UnsupportedError{Where: "key " + prefixGGUF + where, Detail: fmt.Sprintf(format, args...)}
	}
	seen := make(map[string]int, len(r.pieces))
	for id, p := range r.pieces {
		if p.kind == unusedPiece {
			continue
		}
		if before, twice := seen[p.text]; twice {
			return other("tokens", "the tokens %d and %d are both %s, and a tokenizer.json can have one of them", before, id, badfile.Quote(p.text))
		}
		seen[p.text] = id
		if !utf8.ValidString(p.text) {
			return other("tokens", "token %d is not valid UTF-8, which a tokenizer.json cannot hold", id)
		}
	}
	if r.sentencePiece() {
		if squeeze, _, _ := value(r.keys, "remove_extra_whitespaces", gguf.Value.Bool); squeeze {
			return other("remove_extra_whitespaces", "found true, which no tokenizer.json of such a model has")
		}
		if r.prefixed() && slices.ContainsFunc(r.pieces, func(p piece) bool { return p.kind == definedPiece }) {
			return other("token_type", "found tokens that the user defined, before which a tokenizer.json would look for a space")
		}
	}
	return nil
}

// sentencePiece reports whether the model is "llama", and not "gpt2".
func (r *rendering) sentencePiece() bool { return !r.t.decoding.byteLevel }

// prefixed reports whether texts are begun with a space.
func (r *rendering) prefixed() bool { return r.t.decoding.stripAtMost > 0 }

// added lists the tokens that are found in a text before the model sees it.
func (r *rendering) added() []renderedToken {
	all := []renderedToken{}
	for id, p := range r.pieces {
		if p.isAdded() {
			defined := p.kind == definedPiece
			all = append(all, renderedToken{ID: id, Content: p.text, Normalized: defined, Special: !defined})
		}
	}
	return all
}

// fill sets normalizer, pre-tokenizer, decoder and model.
func (r *rendering) fill(file *rendered) error {
	m := &file.Model
	m.Type, m.IgnoreMerges = "BPE", r.t.model.ignoreMerges
	for id, p := range r.pieces[:r.kept] {
		if p.kind != unusedPiece {
			m.Vocab = append(m.Vocab, renderedID{p.text, id})
		}
	}
	if !r.sentencePiece() {
		how, err := r.pre()
		if err != nil {
			return err
		}
		if how.NFC {
			file.Normalizer = json.RawMessage(`{"type": "NFC"}`)
		}
		file.Split = json.RawMessage(how.Split)
		file.Decoder = json.RawMessage(`{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}`)
		return r.readPairs(m)
	}
	space := `{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}`
	decoder := `{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}`
	if r.prefixed() {
		space = `{"type": "Prepend", "prepend": "▁"}, ` + space
		decoder += `, {"type": "Strip", "content": " ", "start": 1, "stop": 0}`
	}
	file.Normalizer = json.RawMessage(`{"type": "Sequence", "normalizers": [` + space + `]}`)
	file.Decoder = json.RawMessage(`{"type": "Sequence", "decoders": [` + decoder + `]}`)
	m.FuseUnknown, m.ByteFallback = true, r.t.model.byteFallback
	if id := r.t.model.unknown; id >= 0 {
		m.Unknown = &r.pieces[id].text
	}
	var err error
	m.Merges, err = pairsByScore(r.pieces, r.t.model)
	return err
}

// readPairs takes over the merges of model "gpt2".
func (r *rendering) readPairs(m *renderedModel) error {
	lines, _, err := value(r.keys, "merges", gguf.Value.Strings)
	m.Merges = make([][2]string, len(lines))
	for i, line := range lines {
		m.Merges[i][0], m.Merges[i][1], _ = strings.Cut(line, " ")
	}
	return err
}

// pairsByScore lists the pairs that become a piece, the highest score first and then the longest left part, as transformers
// does when it makes a tokenizer.json of a SentencePiece model (convert_slow_tokenizer.py, generate_merges).
func pairsByScore(pieces []piece, m *bpe) ([][2]string, error) {
	type pair struct {
		left, right string
		chars       int // of left
		product     int32
	}
	var all []pair
	for text, id := range m.vocab {
		chars := 0
		for i := range text {
			if _, ok := m.vocab[text[:i]]; ok {
				if _, ok := m.vocab[text[i:]]; ok {
					all = append(all, pair{text[:i], text[i:], chars, id})
				}
			}
			chars++
		}
	}
	slices.SortFunc(all, func(a, b pair) int {
		return cmp.Or(cmp.Compare(pieces[b.product].score, pieces[a.product].score), cmp.Compare(b.chars, a.chars), cmp.Compare(a.product, b.product))
	})
	pairs := make([][2]string, len(all))
	for i, p := range all {
		if i > 0 && p.product != all[i-1].product && pieces[p.product].score == pieces[all[i-1].product].score {
			return nil, &badfile.UnsupportedError{Where: "key " + prefixGGUF + "scores", Detail: fmt.Sprintf("the tokens %s and %s have the same score, "+
				"and a tokenizer.json would always merge one of them first", badfile.Quote(pieces[all[i-1].product].text), badfile.Quote(pieces[p.product].text))}
		}
		pairs[i] = [2]string{p.left, p.right}
	}
	return pairs, nil
}

// around renders the post-processor, which puts tokens around a text; nil if there is none.
func (r *rendering) around() any {
	type object = map[string]any
	var all []any
	_, bos := r.values[prefixGGUF+"add_bos_token"]
	_, eos := r.values[prefixGGUF+"add_eos_token"]
	if !r.sentencePiece() && bos && eos { // the converter says both of a tokenizer with this, which moves offsets only
		all = append(all, json.RawMessage(byteLevel))
	}
	if len(r.t.before)+len(r.t.after) > 0 {
		special := object{}
		tokens := func(ids []int64) (items []object) {
			for _, id := range ids {
				token := r.pieces[id].text
				special[token] = object{"id": token, "ids": []int64{id}, "tokens": []string{token}}
				items = append(items, object{"SpecialToken": object{"id": token, "type_id": 0}})
			}
			return items
		}
		text := func(id string, kind int) object { return object{"Sequence": object{"id": id, "type_id": kind}} }
		before, after := tokens(r.t.before), tokens(r.t.after)
		single := append(append(slices.Clone(before), text("A", 0)), after...)
		pair := append(append(before, text("A", 0), text("B", 1)), after...)
		all = append(all, object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special})
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return object{"type": "Sequence", "processors": all}
}

// same reports the first token for which two tokenizers are not the same: its id, its bytes, whether it is special, and the
// ids of its text.
func (r *rendering) same(back *Tokenizer) error {
	for i, p := range r.pieces {
		id := int64(i)
		if p.kind == unusedPiece {
			continue
		}
		piece := r.t.Piece(id)
		equal := back.Piece(id) == piece && back.Special(id) == r.t.Special(id)
		if equal && utf8.ValidString(piece) {
			equal = slices.Equal(back.Encode(piece, true), r.t.Encode(piece, true))
		}
		if !equal {
			return &badfile.UnsupportedError{File: r.path, Where: "key " + prefixGGUF + "tokens",
				Detail: fmt.Sprintf("token %d, %s, would be another one in a tokenizer.json", id, badfile.Quote(p.text))}
		}
	}
	return nil
}
