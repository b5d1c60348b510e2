package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// maxFile bounds the files of a tokenizer; the largest published ones take some tens of megabytes.
const maxFile = 1 << 26

// maxID bounds the ids of a file.
const maxID = math.MaxInt32

// Parse reads a tokenizer.json. path stands for the file in errors, which are *badfile.FormatError and
// *badfile.UnsupportedError.
func Parse(path string, data []byte) (*Tokenizer, error) {
	members, err := jsonobj.Parse(data)
	if err != nil {
		return nil, &badfile.FormatError{File: path, Detail: err.Error()}
	}
	top := object{members: members, err: &err}
	t := fromJSON(top)
	if err != nil {
		return nil, inFile(path, err)
	}
	t.path = path
	return t, nil
}

// inFile puts the file's name into an error that lacks it.
func inFile(path string, err error) error {
	if format := (*badfile.FormatError)(nil); errors.As(err, &format) && format.File == "" {
		format.File = path
	}
	if other := (*badfile.UnsupportedError)(nil); errors.As(err, &other) && other.File == "" {
		other.File = path
	}
	return err
}

// fromJSON builds a tokenizer; errors are in top.
func fromJSON(top object) *Tokenizer {
	m, ok := top.object("model")
	if !ok {
		top.fail("model", "missing: this is not a tokenizer.json")
		return nil
	}
	model := readBPE(m)
	if *top.err != nil {
		return nil
	}
	t := newTokenizer(model)
	if normalizer, ok := top.object("normalizer"); ok {
		growth := 1
		t.normalize = readNormalizer(normalizer, 0, &growth)
	}
	if split, ok := top.object("pre_tokenizer"); ok {
		t.steps = readSteps(split, 0)
	}
	t.addTokens(readAdded(top))
	if post, ok := top.object("post_processor"); ok {
		readPostProcessor(post, t)
	}
	if decoder, ok := top.object("decoder"); ok {
		growth := 1
		readDecoder(decoder, &t.decoding, &growth)
	} else {
		t.decoding.between = " "
	}
	t.decoding.judgeRuns = true
	t.kind = "BPE of " + describe(t)
	t.finish()
	return t
}

func describe(t *Tokenizer) string {
	switch {
	case t.decoding.byteLevel:
		return "bytes"
	case t.model.byteFallback:
		return "characters with byte fallback"
	}
	return "characters"
}

// readBPE reads the model.
func readBPE(o object) *bpe {
	if kind := o.text("type", "BPE"); kind != "BPE" {
		o.unsupported("type", "found %s, expected BPE, as all published Mamba models have", badfile.Quote(kind))
		return nil
	}
	for _, key := range []string{"continuing_subword_prefix", "end_of_word_suffix"} {
		if s := o.text(key, ""); s != "" {
			o.unsupported(key, "found %s, expected none", badfile.Quote(s))
		}
	}
	if v, ok := o.get("dropout"); ok {
		if p, ok := v.Float(); !ok || p != 0 {
			o.unsupported("dropout", "found %s, expected null: with dropout, ids are a matter of chance", v)
		}
	}
	m := &bpe{
		unknown:      -1,
		fuseUnknown:  o.flag("fuse_unk", false),
		byteFallback: o.flag("byte_fallback", false),
		ignoreMerges: o.flag("ignore_merges", false),
	}
	vocab, ok := o.object("vocab")
	if !ok {
		o.fail("vocab", "missing, expected an object of tokens and their ids")
		return nil
	}
	m.vocab = make(map[string]int32, len(vocab.members))
	for _, member := range vocab.members {
		id, ok := member.Value.Int()
		if !ok || id < 0 || id >= maxID {
			vocab.fail(badfile.Quote(member.Key), "found %s, expected an id of 0 to %d", member.Value, maxID-1)
			return nil
		}
		m.vocab[member.Key] = int32(id)
	}
	if unknown := o.text("unk_token", ""); unknown != "" {
		id, ok := m.vocab[unknown]
		if !ok {
			o.fail("unk_token", "%s is not in the vocabulary", badfile.Quote(unknown))
		}
		m.unknown = id
	}
	m.readMerges(o)
	m.ready()
	return m
}

// readMerges reads a list of pairs, each either as "a b" or as ["a", "b"].
func (m *bpe) readMerges(o object) {
	list := o.list("merges")
	m.merges = make(map[uint64]merge, len(list))
	rank := int32(0)
	for i, v := range list {
		left, right, ok := pairOf(v)
		if !ok {
			o.fail(fmt.Sprintf("merges[%d]", i), "found %s, expected two tokens", v)
			return
		}
		if line, _ := v.Text(); strings.HasPrefix(line, "#version") {
			continue
		}
		a, okA := m.vocab[left]
		b, okB := m.vocab[right]
		ab, ok := m.vocab[left+right]
		if !okA || !okB || !ok {
			o.fail(fmt.Sprintf("merges[%d]", i), "%s and %s become %s, and one of the three is not in the vocabulary",
				badfile.Quote(left), badfile.Quote(right), badfile.Quote(left+right))
			return
		}
		m.merges[pair(a, b)] = merge{rank, ab}
		rank++
	}
}

func pairOf(v jsonobj.Value) (left, right string, ok bool) {
	if line, isText := v.Text(); isText {
		if strings.HasPrefix(line, "#version") {
			return "", "", true
		}
		left, right, ok = strings.Cut(line, " ")
		return left, right, ok && !strings.Contains(right, " ")
	}
	two, ok := v.Elems(2)
	if !ok || len(two) != 2 {
		return "", "", false
	}
	left, okLeft := two[0].Text()
	right, okRight := two[1].Text()
	return left, right, okLeft && okRight
}

// newTokenizer returns a tokenizer with only a model.
func newTokenizer(m *bpe) *Tokenizer {
	t := &Tokenizer{model: m, tokens: make(map[int32]string, len(m.vocab)), special: map[int32]bool{}, unused: map[int32]bool{}}
	t.raw, t.cooked = newFinder(nil), newFinder(nil)
	for token, id := range m.vocab {
		t.tokens[id] = token
	}
	return t
}

// finish computes what follows from the rest.
func (t *Tokenizer) finish() {
	for id := range t.tokens {
		t.size = max(t.size, int(id)+1)
	}
	t.cutWords()
	t.cached = cutsAt(t.steps)
	t.cuts = t.mayCut()
}

// cutWords lets a tokenizer whose words are whole texts work word by word, if that gives the same ids: if every
// word begins with a mark, as "▁", that stands nowhere else in what merges make.
func (t *Tokenizer) cutWords() {
	id, ok := t.model.vocab[spaceMark]
	if t.model.ignoreMerges || !ok || slices.ContainsFunc(t.steps, cutsText) {
		return
	}
	spelled := make(map[int32]string, len(t.model.vocab))
	for token, id := range t.model.vocab {
		spelled[id] = token
	}
	if spelled[id] != spaceMark {
		return
	}
	for _, m := range t.model.merges {
		token := spelled[m.id]
		if strings.Contains(strings.TrimLeft(token, spaceMark), spaceMark) {
			return
		}
	}
	t.steps = append(t.steps, words)
}

// cutsText reports whether a step does something else than to write spaces as marks.
func cutsText(s step) bool {
	m, ok := s.(metaspace)
	return !ok || m.split || m.mark != spaceMark
}

// added is an entry of added_tokens.
type added struct {
	addedToken
	special, normalized bool
}

// readAdded reads added_tokens.
func readAdded(top object) []added {
	var all []added
	for _, o := range top.objects("added_tokens") {
		all = append(all, readToken(o))
	}
	return all
}

// readToken reads an added token.
func readToken(o object) added {
	special := o.flag("special", false)
	token := added{
		addedToken: addedToken{
			content:    o.text("content", ""),
			singleWord: o.flag("single_word", false),
			lstrip:     o.flag("lstrip", false),
			rstrip:     o.flag("rstrip", false),
		},
		special:    special,
		normalized: o.flag("normalized", !special),
	}
	if len(token.content) > maxAdded {
		o.unsupported("content", "found %d bytes, expected at most %d", len(token.content), maxAdded)
	}
	return token
}

// maxAdded bounds the length of an added token, by which the search for them may slow down.
const maxAdded = 1 << 12

// addTokens adds tokens as the tokenizers library does: an id is that of the vocabulary, if the token is in it, or the
// next free one, whatever the file says.
func (t *Tokenizer) addTokens(tokens []added) {
	t.added, t.special = tokens, map[int32]bool{}
	var raw, cooked []addedToken
	seen := map[string]bool{}
	next := int32(len(t.model.vocab))
	for _, token := range tokens {
		if token.content == "" || seen[token.content] {
			continue
		}
		seen[token.content] = true
		id, ok := t.model.vocab[token.content]
		if !ok {
			id = next
			next++
		}
		next = max(next, id+1)
		token.id = id
		t.tokens[id] = token.content
		if token.special {
			t.special[id] = true
		}
		if !token.normalized {
			raw = append(raw, token.addedToken)
			continue
		}
		for _, normalize := range t.normalize {
			if token.content != "" {
				token.content = normalize.apply(token.content, start)
			}
		}
		t.tokens[id] = token.content // also to be decoded
		cooked = append(cooked, token.addedToken)
	}
	t.raw, t.cooked = newFinder(raw), newFinder(cooked)
}
