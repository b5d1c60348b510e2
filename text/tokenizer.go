package text

import (
	"context"
	"errors"

	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
)

// ErrNoTokenizer is what errors are, by errors.Is, that say that a checkpoint comes without a tokenizer.
var ErrNoTokenizer = tokenizer.ErrNone

// Tokenizer turns text into token ids and back, as Hugging Face's tokenizers library does. It may be used from any number
// of goroutines.
type Tokenizer struct{ t *tokenizer.Tokenizer }

// Open reads the tokenizer at path: a tokenizer.json, a SentencePiece model, a GGUF file, or a checkpoint's folder, or a
// file in it, that has one of these. Errors: ErrNoTokenizer if a folder has none, a FormatError or UnsupportedError, or a
// wrapped I/O error.
func Open(path string) (*Tokenizer, error) { return wrap(tokenizer.Open(path)) }

// OpenOf opens the tokenizer that comes with a checkpoint. A model with a vocabulary of the 256 bytes does not need one: see
// Bytes. Errors are those of Open.
func OpenOf(ck *loader.Checkpoint) (*Tokenizer, error) {
	t, err := own(ck)
	if errors.Is(err, ErrNoTokenizer) && tokenizer.IsBytes(ck.Config().Shared().VocabSize) {
		return Bytes(), nil
	}
	return wrap(t, err)
}

func own(ck *loader.Checkpoint) (*tokenizer.Tokenizer, error) {
	if kvs := layout.Inside(ck).Weights.Keys; kvs != nil {
		if err := ck.Hold(); err != nil { // they lie in the file
			return nil, err
		}
		defer ck.Release()
		return tokenizer.FromGGUF(ck.Path(), kvs)
	}
	return tokenizer.Open(ck.Path())
}

// Bytes returns the tokenizer of models that work on bytes: the ids are the bytes of the text.
func Bytes() *Tokenizer { return &Tokenizer{tokenizer.Bytes()} }

func wrap(t *tokenizer.Tokenizer, err error) (*Tokenizer, error) {
	if err != nil {
		return nil, err
	}
	return &Tokenizer{t}, nil
}

// Encode returns the ids of a text. With special, those that the tokenizer puts around it, such as <s>, are included.
// Added tokens in the text, <|endoftext|> too, become their ids; those of a SentencePiece model do not.
func (t *Tokenizer) Encode(text string, special bool) []int64 { return t.t.Encode(text, special) }

// EncodeContext is Encode for text that may be long. It returns the cause of ctx soon after ctx has ended.
func (t *Tokenizer) EncodeContext(ctx context.Context, text string, special bool) ([]int64, error) {
	return t.t.EncodeContext(ctx, text, special)
}

// EncodeTemplate returns the ids of what a chat template rendered: all special tokens in it become their ids, and none is
// added.
func (t *Tokenizer) EncodeTemplate(text string) []int64 { return t.t.EncodeTemplate(text) }

// EncodeTemplateContext is EncodeTemplate for text that may be long, like EncodeContext.
func (t *Tokenizer) EncodeTemplateContext(ctx context.Context, text string) ([]int64, error) {
	return t.t.EncodeTemplateContext(ctx, text)
}

// Decode returns the text of ids. It skips ids without a token, and special tokens if skipSpecial is set. Bytes that are not
// UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int64, skipSpecial bool) string { return t.t.Decode(ids, skipSpecial) }

// NewDecoder returns a decoder for one text.
func (t *Tokenizer) NewDecoder(skipSpecial bool) *Decoder {
	return &Decoder{t.t.NewDecoder(skipSpecial)}
}

// Begin returns the ids that the tokenizer puts before a text, such as that of <s>.
func (t *Tokenizer) Begin() []int64 { return t.t.Begin() }

// End returns the ids that the tokenizer puts behind a text.
func (t *Tokenizer) End() []int64 { return t.t.End() }

// EOS returns the token that ends a text, such as "</s>"; empty if the tokenizer has none.
func (t *Tokenizer) EOS() string { return t.t.Config().EOS }

// ID returns the id of a token as the vocabulary spells it.
func (t *Tokenizer) ID(token string) (id int64, ok bool) { return t.t.ID(token) }

// Token returns the token of an id as the vocabulary spells it, such as "Ġthe". ok is false if there is none.
func (t *Tokenizer) Token(id int64) (token string, ok bool) { return t.t.Token(id) }

// Piece returns the bytes that a token stands for by itself, which may be part of a character.
func (t *Tokenizer) Piece(id int64) string { return t.t.Piece(id) }

// Special reports whether an id stands for something other than text, such as the end of one.
func (t *Tokenizer) Special(id int64) bool { return t.t.Special(id) }

// Drawable reports whether an id may be generated, that is, whether it stands for a token and is not padding. Use it for
// model.Sampling.Drawable.
func (t *Tokenizer) Drawable(id int64) bool { return t.t.Drawable(id) }

// Kind describes the tokenizer in a few words, such as "byte-level BPE".
func (t *Tokenizer) Kind() string { return t.t.Kind() }

// Path returns the file that the tokenizer was read from; empty for Bytes.
func (t *Tokenizer) Path() string { return t.t.Path() }

// Size returns one more than the highest id. A model may have more rows than that; they are padding and do not stand for text.
func (t *Tokenizer) Size() int { return t.t.Size() }

// Cut returns the last position at which a long text can be split so that the ids of both parts together are those of the
// whole. It is 0 if there is none, for example for a tokenizer that puts a space in front of every text.
func (t *Tokenizer) Cut(text string) int { return t.t.Cut(text) }

// Decoder turns ids into text as they come. It returns the text that Decode would, as soon as that is certain: it holds back
// the bytes of an incomplete character, and whole runs of byte tokens such as <0x0A>.
type Decoder struct{ d *tokenizer.Decoder }

// Add adds the next token and returns the text that has become certain, which is often empty.
func (d *Decoder) Add(id int64) string { return d.d.Add(id) }

// Flush returns the text that was held back. Call it after the last token.
func (d *Decoder) Flush() string { return d.d.Flush() }

// Held returns what Flush would return, without changing anything.
func (d *Decoder) Held() string { return d.d.Held() }
