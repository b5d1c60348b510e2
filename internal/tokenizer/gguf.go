package tokenizer

import (
	"fmt"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
)

// prefixGGUF is what the keys of a GGUF file that describe its tokenizer begin with.
const prefixGGUF = "tokenizer.ggml."

// FromGGUF builds the tokenizer that the keys of a GGUF file describe. path stands for the file in errors, which are
// *badfile.FormatError, *badfile.UnsupportedError, and ErrNone if the file has token ids alone.
func FromGGUF(path string, kvs []gguf.KV) (*Tokenizer, error) {
	t, err := newKeys(path, kvs).build()
	if err != nil {
		return nil, err
	}
	t.path = path
	return t, nil
}

// keys are those of a GGUF file.
type keys struct {
	path   string
	values map[string]gguf.Value
}

func newKeys(path string, kvs []gguf.KV) *keys {
	k := &keys{path: path, values: make(map[string]gguf.Value, len(kvs))}
	for _, kv := range kvs {
		k.values[kv.Key] = kv.Value
	}
	return k
}

func (k *keys) fail(key, format string, args ...any) error {
	return &badfile.FormatError{File: k.path, Where: "key " + prefixGGUF + key, Detail: fmt.Sprintf(format, args...)}
}

// value decodes the value of a key with a method of gguf.Value. ok is false if the file does not have the key.
func value[T any](k *keys, key string, decode func(gguf.Value) (T, error)) (v T, ok bool, err error) {
	raw, ok := k.values[prefixGGUF+key]
	if !ok {
		return v, false, nil
	}
	if v, err = decode(raw); err != nil {
		return v, true, k.fail(key, "%v", err)
	}
	return v, true, nil
}

// pieces reads the vocabulary.
func (k *keys) pieces() ([]piece, error) {
	tokens, ok, err := value(k, "tokens", gguf.Value.Strings)
	if err != nil {
		return nil, err
	}
	if !ok || len(tokens) == 0 {
		return nil, k.fail("tokens", "missing or empty, expected an array of strings")
	}
	types, hasTypes, err := value(k, "token_type", gguf.Value.Ints)
	if err != nil {
		return nil, err
	}
	scores, hasScores, err := value(k, "scores", gguf.Value.Floats)
	if err != nil {
		return nil, err
	}
	if hasTypes && len(types) != len(tokens) || hasScores && len(scores) != len(tokens) {
		return nil, k.fail("tokens", "found %d tokens, %d types and %d scores", len(tokens), len(types), len(scores))
	}
	pieces := make([]piece, len(tokens))
	for id, text := range tokens {
		pieces[id] = piece{text: text, kind: normalPiece}
		if hasTypes {
			pieces[id].kind = pieceType(types[id])
		}
		if hasScores {
			pieces[id].score = scores[id]
		}
	}
	return pieces, nil
}

func (k *keys) build() (*Tokenizer, error) {
	kind, ok, err := value(k, "model", gguf.Value.Str)
	if err != nil {
		return nil, err
	}
	if !ok || kind == "none" || kind == "no_vocab" {
		return nil, &noTokenizer{k.path, "a GGUF file with token ids and no text"}
	}
	pieces, err := k.pieces()
	if err != nil {
		return nil, err
	}
	var t *Tokenizer
	switch kind {
	case "gpt2":
		t, err = k.byteLevel(pieces)
	case "llama":
		t, err = k.sentencePiece(pieces)
	default:
		return nil, &unknownKind{badfile.UnsupportedError{File: k.path, Where: "key " + prefixGGUF + "model",
			Detail: "found " + badfile.Quote(kind) + ", expected gpt2 or llama"}}
	}
	if err != nil {
		return nil, inFile(k.path, err)
	}
	begins := kind == "llama"
	if kind == "gpt2" {
		how, _ := k.pre() // which byteLevel has read
		begins = how.Begins
	}
	return t, k.settings(t, begins)
}

// settings reads what is not in the vocabulary.
func (k *keys) settings(t *Tokenizer, bosUnlessSaid bool) error {
	if v, ok := k.values["tokenizer.chat_template"]; ok {
		// Another kind of value is not a template; llama.cpp ignores one too.
		t.config.ChatTemplate, _ = v.Str()
	}
	if v, ok := k.values["tokenizer.chat_template."+toolUse]; ok {
		t.config.ToolTemplate, _ = v.Str()
	}
	for _, end := range []struct {
		id, name, add string
		put           *[]int64
		usual         bool
	}{
		{"bos_token_id", nameBOS, "add_bos_token", &t.before, bosUnlessSaid},
		{"eos_token_id", nameEOS, "add_eos_token", &t.after, false},
		{"unknown_token_id", "unk_token", "", nil, false},
		{"padding_token_id", "pad_token", "", nil, false},
	} {
		id, hasID, err := value(k, end.id, gguf.Value.Uint)
		if err != nil {
			return err
		}
		add, said, err := value(k, end.add, gguf.Value.Bool)
		if err != nil {
			return err
		}
		if !hasID {
			continue
		}
		token, ok := t.Token(int64(min(id, maxID)))
		if !ok && end.put == nil {
			continue // nothing depends on it
		}
		if !ok {
			return k.fail(end.id, "found %d, the vocabulary ends at %d", id, t.size-1)
		}
		t.config.name(end.name, token)
		if end.put != nil && (add || !said && end.usual) {
			*end.put = []int64{int64(id)}
		}
	}
	return nil
}

// spelling reads how model "llama" writes a text before it is cut.
func (k *keys) spelling() (how spelling, err error) {
	how.dummyPrefix = true
	prefix, said, err := value(k, "add_space_prefix", gguf.Value.Bool)
	if said {
		how.dummyPrefix = prefix
	}
	if err == nil {
		how.squeeze, _, err = value(k, "remove_extra_whitespaces", gguf.Value.Bool)
	}
	return how, err
}

// sentencePiece builds the tokenizer of model "llama".
func (k *keys) sentencePiece(pieces []piece) (*Tokenizer, error) {
	if !validScores(pieces) {
		return nil, k.fail("scores", "found a score that is not a number")
	}
	how, err := k.spelling()
	if err != nil {
		return nil, err
	}
	t, err := fromPieces(pieces, how)
	if err != nil {
		return nil, err
	}
	// As in the tokenizer.json of such models, and as llama.cpp does, the names of these tokens in a text are the tokens.
	raw := t.control.tokens
	for id, p := range pieces {
		if p.kind == unknownPiece {
			raw = append(raw, addedToken{content: p.text, id: int32(id)})
		}
	}
	t.raw = newFinder(raw)
	t.control = t.raw
	return t, nil
}

// pre reads how a text becomes words.
func (k *keys) pre() (Pre, error) {
	name, _, err := value(k, "pre", gguf.Value.Str)
	if err != nil {
		return Pre{}, err
	}
	var names []string
	for _, p := range Pres {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Pre{}, &unknownKind{badfile.UnsupportedError{File: k.path, Where: "key " + prefixGGUF + "pre",
		Detail: fmt.Sprintf("found %s, expected one of %s", badfile.Quote(name), strings.Join(names, ", "))}}
}

// byteLevel builds the tokenizer of model "gpt2".
func (k *keys) byteLevel(pieces []piece) (*Tokenizer, error) {
	how, err := k.pre()
	if err != nil {
		return nil, err
	}
	m := &bpe{vocab: make(map[string]int32, len(pieces)), unknown: -1, ignoreMerges: how.IgnoreMerges}
	for id, p := range pieces {
		if p.kind == normalPiece {
			m.vocab[p.text] = int32(id)
		}
	}
	if err := k.merges(m); err != nil {
		return nil, err
	}
	m.ready()
	t := newTokenizer(m)
	if how.NFC {
		t.normalize = []normalizer{composing}
	}
	if t.steps, err = how.steps(); err != nil {
		return nil, err
	}
	t.addPieces(pieces)
	t.decoding.byteLevel = true
	t.kind = "BPE of bytes"
	t.finish()
	return t, nil
}

// addPieces adds the tokens that the model does not make.
func (t *Tokenizer) addPieces(pieces []piece) {
	var raw, cooked []addedToken
	for i, p := range pieces {
		id := int32(i)
		t.tokens[id] = p.text
		token := addedToken{content: p.text, id: id}
		switch p.kind {
		case controlPiece, unknownPiece:
			t.special[id] = true
			raw = append(raw, token)
		case definedPiece:
			for _, normalize := range t.normalize {
				token.content = normalize.apply(token.content, start)
			}
			cooked = append(cooked, token)
		case unusedPiece:
			t.unused[id] = true
		}
	}
	t.raw, t.cooked = newFinder(raw), newFinder(cooked)
}

// merges reads the pairs, "a b", in which a token does not have spaces.
func (k *keys) merges(m *bpe) error {
	lines, ok, err := value(k, "merges", gguf.Value.Strings)
	if err != nil {
		return err
	}
	if !ok {
		return k.fail("merges", "missing, expected an array of strings")
	}
	m.merges = make(map[uint64]merge, len(lines))
	for rank, line := range lines {
		left, right, ok := strings.Cut(line, " ")
		a, okA := m.vocab[left]
		b, okB := m.vocab[right]
		ab, okAB := m.vocab[left+right]
		if !ok || !okA || !okB || !okAB {
			return k.fail("merges", "the pair %s, number %d, is not one of tokens that make a token", badfile.Quote(line), rank)
		}
		m.merges[pair(a, b)] = merge{int32(rank), ab}
	}
	return nil
}
