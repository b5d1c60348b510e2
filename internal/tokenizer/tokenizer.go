package tokenizer

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Tokenizer turns text into ids and back. It may be used from any number of goroutines.
type Tokenizer struct {
	path    string
	kind    string // of the source, for people
	tokens  map[int32]string
	special map[int32]bool // tokens with a meaning of their own, such as <|endoftext|>
	unused  map[int32]bool // tokens that stand for nothing and must not be drawn
	size    int            // the highest id, and one

	raw       *finder // added tokens that are found in the text as it is
	control   *finder // in place of raw, if only a chat template may write them
	normalize []normalizer
	cooked    *finder // added tokens that are found in normalized text
	added     []added // both, of a tokenizer.json
	steps     []step
	cached    int  // the step from which a piece's ids depend only on its text
	cuts      bool // texts may be cut before a space, see Cut
	model     *bpe

	before, after []int64 // what the post-processor puts around a text
	decoding      decoding
	config        Config

	encoders sync.Pool
}

// normalizer changes a text before it is cut.
type normalizer struct {
	apply func(s string, at place) string
	local bool // what becomes of a piece that goes on with a space depends only on the piece
	marks bool // spaces become spaceMark
}

// Config returns what is said about the tokenizer.
func (t *Tokenizer) Config() Config { return t.config }

// Path returns the file that the tokenizer was read from; empty for Bytes.
func (t *Tokenizer) Path() string { return t.path }

// Kind describes the tokenizer in a few words, such as "byte-level BPE".
func (t *Tokenizer) Kind() string { return t.kind }

// Size returns the highest id and one. A model may have more rows than that: padding, which stands for no text.
func (t *Tokenizer) Size() int { return t.size }

// Token returns the token of an id as the vocabulary spells it, such as "Ġthe". ok is false where there is none.
func (t *Tokenizer) Token(id int64) (token string, ok bool) {
	if id != int64(int32(id)) {
		return "", false
	}
	token, ok = t.tokens[int32(id)]
	return token, ok
}

// ID returns the id of a token as the vocabulary spells it.
func (t *Tokenizer) ID(token string) (id int64, ok bool) {
	for _, f := range []*finder{t.raw, t.control, t.cooked} {
		if f == nil {
			continue
		}
		for _, added := range f.tokens {
			if added.content == token {
				return int64(added.id), true
			}
		}
	}
	n, ok := t.model.vocab[token]
	return int64(n), ok
}

// Added is a token that is found in a text before the model sees it.
type Added struct {
	ID      int
	Content string
	Special bool
}

// Added returns the added tokens of a tokenizer.json, with those that the files beside it add.
func (t *Tokenizer) Added() (all []Added) {
	for _, a := range t.added {
		if id, ok := t.ID(a.content); ok {
			all = append(all, Added{int(id), a.content, t.special[int32(id)]})
		}
	}
	return all
}

// Special reports whether an id has a meaning of its own, such as the end of a text, and no text.
func (t *Tokenizer) Special(id int64) bool { return id == int64(int32(id)) && t.special[int32(id)] }

// SpecialTokens returns the ids for which Special holds, in order.
func (t *Tokenizer) SpecialTokens() (ids []int64) {
	for id := range t.special {
		ids = append(ids, int64(id))
	}
	slices.Sort(ids)
	return ids
}

// Drawable reports whether an id may be generated: whether it is that of a token, and not of padding.
func (t *Tokenizer) Drawable(id int64) bool {
	_, ok := t.Token(id)
	return ok && !t.unused[int32(id)]
}

// encoder is the scratch memory of one goroutine.
type encoder struct {
	*Tokenizer
	flat    *[tabled]class
	merger  merger
	matches [][]match // of the steps
	ids     []int32
	cache   map[string][]int32
	cost    int // bytes in cache, roughly
}

const (
	maxCached    = 128     // longer pieces are seldom seen again
	maxCacheCost = 8 << 20 // when it is reached, the cache is emptied
)

// Encode returns the ids of a text. With special, those that the post-processor puts around it are included.
// Added tokens in the text, <|endoftext|> too, become their ids; those of a SentencePiece model, such as <s>, do not.
func (t *Tokenizer) Encode(text string, special bool) []int64 {
	return t.encode(context.Background(), t.raw, text, start, special)
}

// Continue returns the ids of a text that goes on where another one ended, of which before are the last ids: none if they
// are not known. They are the ids that the whole text has there, wherever a token can end: nothing is put in front or
// behind, neither a token such as <s> nor the space that SentencePiece begins texts with.
func (t *Tokenizer) Continue(before []int64, text string) []int64 {
	return t.encode(context.Background(), t.raw, text, placeAfter(t.raw, before), false)
}

// placeAfter is where a text goes on behind some ids: what follows a token at which texts are cut before they are
// normalized is a part of its own.
func placeAfter(raw *finder, before []int64) place {
	if n := len(before); n > 0 &&
		slices.ContainsFunc(raw.tokens, func(a addedToken) bool { return int64(a.id) == before[n-1] }) {
		return inside
	}
	return joined
}

// EncodeTemplate returns the ids of what a chat template made: all special tokens in it become their ids, and none is added.
func (t *Tokenizer) EncodeTemplate(text string) []int64 {
	return t.encode(context.Background(), t.specials(), text, start, false)
}

// specials finds what a chat template may write.
func (t *Tokenizer) specials() *finder {
	if t.control != nil {
		return t.control
	}
	return t.raw
}

func (t *Tokenizer) encode(ctx context.Context, raw *finder, text string, at place, special bool) []int64 {
	e, _ := t.encoders.Get().(*encoder)
	if e == nil {
		e = &encoder{Tokenizer: t, flat: classes(), cache: map[string][]int32{}}
	}
	defer t.encoders.Put(e)
	e.merger.ctx = ctx
	var out []int64
	if special {
		out = append(out, t.before...)
	}
	for rest := text; rest != ""; at = placeAfter(raw, out) {
		n := t.pieceOf(rest)
		e.ids = e.ids[:0]
		e.encode(raw, rest[:n], at)
		rest = rest[n:]
		out = slices.Grow(out, len(e.ids)+len(rest)/n*len(e.ids)+len(t.after))
		for _, id := range e.ids {
			out = append(out, int64(id))
		}
	}
	if special {
		out = append(out, t.after...)
	}
	return out
}

// maxEncoded is how many bytes of a text are encoded at once, if it can be cut: scratch memory is many times as large.
const maxEncoded = 1 << 18

// pieceOf returns how much of a text to encode at once: all of it, or as far as it can be cut.
func (t *Tokenizer) pieceOf(text string) int {
	for n := maxEncoded; t.cuts && n < len(text); n *= 2 {
		if at := t.Cut(text[:n]); at > 0 {
			return at
		}
	}
	return len(text)
}

// encode cuts out added tokens, normalizes, cuts again, and leaves the rest to the steps.
func (e *encoder) encode(raw *finder, text string, at place) {
	token := func(id int32) { e.ids = append(e.ids, id) }
	raw.cut(text, func(part string, i int) {
		at := at.of(i)
		for _, normalize := range e.normalize {
			part = normalize.apply(part, at)
		}
		e.cooked.cut(part, func(piece string, i int) { e.run(0, piece, at.of(i)) }, token)
	}, token)
}

// run puts a piece through the steps from number n on.
func (e *encoder) run(n int, s string, at place) {
	e.merger.tick()
	if n == e.cached {
		if ids, ok := e.cache[s]; ok {
			e.ids = append(e.ids, ids...)
			return
		}
		if len(s) <= maxCached {
			before := len(e.ids)
			e.rest(n, s, at)
			e.remember(s, e.ids[before:])
			return
		}
	}
	e.rest(n, s, at)
}

func (e *encoder) rest(n int, s string, at place) {
	if n < len(e.steps) {
		e.steps[n].run(e, n+1, s, at)
		return
	}
	e.ids = e.model.encode(&e.merger, s, e.ids)
}

// remember keeps the ids of a piece.
func (e *encoder) remember(s string, ids []int32) {
	if e.cost > maxCacheCost {
		clear(e.cache)
		e.cost = 0
	}
	e.cache[strings.Clone(s)] = append([]int32(nil), ids...)
	e.cost += len(s) + 4*len(ids) + 64
}

// cutsAt returns the step at which pieces are words, whose ids can be kept: after those that cut a text into words, and
// those for which the place of a piece matters.
func cutsAt(steps []step) int {
	at := len(steps)
	for i := len(steps) - 1; i >= 0; i-- {
		switch s := steps[i].(type) {
		case splitGPT2, splitBefore, *splitPattern:
			at = i + 1
		case metaspace:
			if s.split {
				at = i + 1
			}
			if s.scheme != never {
				return at
			}
		case prefixSpace:
			return at
		}
	}
	return at
}
