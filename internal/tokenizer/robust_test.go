package tokenizer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
)

// A word of a megabyte takes about as long as a megabyte of words: every merge is found in a heap.
func TestLongWord(t *testing.T) {
	for _, style := range []string{"neox", "falcon", "llama", "sentencepiece"} {
		tok, err := Open(filepath.Join(fixtures, style))
		if err != nil {
			t.Fatal(err)
		}
		word := strings.Repeat("nilstate", 1<<17)
		ids := tok.Encode(word, false)
		text := tok.Decode(ids, false)
		if strings.TrimPrefix(text, " ") != word {
			t.Errorf("%s: %d ids of a long word decode to another of %d bytes", style, len(ids), len(text))
		}
	}
}

// Bytes that are not text keep their values if the vocabulary has all bytes.
func TestInvalidUTF8(t *testing.T) {
	for _, style := range []string{"neox", "falcon", "llama", "sentencepiece"} {
		tok, err := Open(filepath.Join(fixtures, style))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, id := range tok.Encode("a\xff\xc3 \xf0\x9f\x98", false) {
			b.WriteString(tok.Piece(id))
		}
		if got := strings.TrimPrefix(b.String(), " "); got != "a\xff\xc3 \xf0\x9f\x98" {
			t.Errorf("%s: %q", style, got)
		}
	}
}

func TestBytes(t *testing.T) {
	tok := Bytes()
	ids := tok.Encode("hé\x00\xff", true)
	if !slices.Equal(ids, []int64{'h', 0xc3, 0xa9, 0, 0xff}) || tok.Decode(ids, true) != "hé\x00\ufffd" || tok.Size() != 256 {
		t.Errorf("ids %v, text %q, size %d", ids, tok.Decode(ids, true), tok.Size())
	}
}

// The keys of a GGUF file give the ids of the tokenizer.json they were made from; its padding is never drawn.
func TestGGUF(t *testing.T) {
	for style, pre := range map[string]string{"neox": "olmo", "falcon": "falcon"} {
		tok, err := Open(filepath.Join(fixtures, style))
		if err != nil {
			t.Fatal(err)
		}
		made, err := FromGGUF("x.gguf", ggufOf(tok, pre))
		if err != nil {
			t.Fatal(err)
		}
		check(t, made, readVectors(t, style), false)
		if last := int64(tok.Size()); made.Drawable(last) || !made.Drawable(last-1) {
			t.Errorf("%s: Drawable is wrong beside id %d", style, last)
		}
	}
}

// ggufOf lists a vocabulary as llama.cpp's converter does.
func ggufOf(tok *Tokenizer, pre string) []gguf.KV {
	tokens, types := make([]string, tok.Size()+1), make([]int32, tok.Size()+1)
	for id := range tokens {
		tokens[id], types[id] = tok.tokens[int32(id)], int32(normalPiece)
	}
	tokens[tok.Size()], types[tok.Size()] = "[PAD]", int32(unusedPiece)
	for _, a := range tok.raw.tokens {
		types[a.id] = int32(controlPiece)
	}
	for _, a := range tok.cooked.tokens {
		types[a.id] = int32(definedPiece)
	}
	merges := make([]string, len(tok.model.merges))
	for both, m := range tok.model.merges {
		merges[m.rank] = tok.tokens[int32(both>>32)] + " " + tok.tokens[int32(uint32(both))]
	}
	return []gguf.KV{
		{Key: "tokenizer.ggml.model", Value: gguf.Of("gpt2")},
		{Key: "tokenizer.ggml.pre", Value: gguf.Of(pre)},
		{Key: "tokenizer.ggml.tokens", Value: gguf.ArrayOf(tokens)},
		{Key: "tokenizer.ggml.token_type", Value: gguf.ArrayOf(types)},
		{Key: "tokenizer.ggml.merges", Value: gguf.ArrayOf(merges)},
	}
}

// What cannot be used is refused in a line that names the place.
func TestRefuses(t *testing.T) {
	model := func(fields string) string {
		return `{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}` + fields + `}`
	}
	for _, test := range []struct{ text, want string }{
		{`{}`, "x.json: model: missing"},
		{`[]`, "expected an object"},
		{`{"model":{"type":"Unigram","vocab":[]}}`, `model.type: found "Unigram"`},
		{`{"model":{"vocab":{"a":-1},"merges":[]}}`, `model.vocab."a": found -1`},
		{`{"model":{"vocab":{"a":99999999999},"merges":[]}}`, `model.vocab."a": found 99999999999`},
		{`{"model":{"vocab":{"a":0},"merges":["a b"]}}`, `model.merges[0]: "a" and "b" become "ab"`},
		{`{"model":{"vocab":{"a":0},"merges":["a"]}}`, "model.merges[0]: found"},
		{`{"model":{"vocab":{"a":0},"merges":[],"unk_token":"u"}}`, `"u" is not in the vocabulary`},
		{`{"model":{"vocab":{"a":0},"merges":[],"dropout":0.5}}`, "matter of chance"},
		{model(`,"normalizer":{"type":"Lowercase"}`), `normalizer.type: found "Lowercase"`},
		{model(`,"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(`{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaa"},`, 9) + `{"type":"NFC"}]}`), "more than 64 times"},
		{model(`,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a+)+(?=b)"},"behavior":"Isolated"}`), "beyond Go's engine"},
		{model(`,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"((\\p{L}{60}){60}){60}"},"behavior":"Isolated"}`), "more than 128 repetitions"},
		{model(`,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a*"},"behavior":"Isolated"}`), "matches the empty text"},
		{model(`,"pre_tokenizer":{"type":"Metaspace","replacement":""}`), "expected one character"},
		{model(`,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{}}`), `"x" is not among special_tokens`},
		{model(`,"decoder":{"type":"CTC"}`), `decoder.type: found "CTC"`},
		{model(`,"added_tokens":[{"content":"` + strings.Repeat("x", 5000) + `"}]`), "at most 4096"},
	} {
		_, err := Parse("x.json", []byte(test.text))
		format, unsupported := (*badfile.FormatError)(nil), (*badfile.UnsupportedError)(nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "x.json: ") ||
			!errors.As(err, &format) && !errors.As(err, &unsupported) {
			t.Errorf("%.120s: error %v, want %q", test.text, err, test.want)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "found none of tokenizer.json") {
		t.Errorf("a folder without tokenizer: %v", err)
	}
}

// FuzzTokenizer reads tokenizer.json files and SentencePiece models, and encodes a text with what it gets: without a
// panic, without hanging, and with ids that are there.
func FuzzTokenizer(f *testing.F) {
	for _, style := range []string{"neox/tokenizer.json", "falcon/tokenizer.json", "llama/tokenizer.json", "codestral/tokenizer.json",
		"llama3/tokenizer.json", "odd/tokenizer.json", "sentencepiece/tokenizer.model"} {
		data, err := os.ReadFile(filepath.Join(fixtures, style))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "Hello  wörld'll e\u0301 123456 <s><|endoftext|>\n\n  =x(")
	}
	small := `{"model":{"vocab":{"a":0,"b":1,"ab":2,"<0xC3>":3},"merges":["a b"],"byte_fallback":true,"unk_token":"b"}`
	for _, rest := range []string{
		``, `,"normalizer":{"type":"Prepend","prepend":"▁"}`, `,"pre_tokenizer":{"type":"Digits"}`, `,"pre_tokenizer":{"type":"Metaspace"}`,
		`,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"[^a]+|\\s+(?!\\S)|\\s+"},"behavior":"MergedWithNext","invert":true}`,
		`,"added_tokens":[{"id":7,"content":"ab","lstrip":true,"rstrip":true,"single_word":true},{"content":"a","special":true}]`,
		`,"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"a"},"content":""},{"type":"ByteFallback"}]}`,
		`,"decoder":{"type":"Metaspace"}`, `,"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}]}`,
		`,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Punctuation"},{"type":"ByteLevel"},{"type":"WhitespaceSplit"}]}`,
	} {
		f.Add([]byte(small+rest+"}"), "abab a é 12 \t a\xff")
	}
	f.Add([]byte("\n\x08\n\x01a\x15\x00\x00\x80?\n\x05\n\x01b\x18\x04\x12\x02\x18\x02"), "ab")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		parse := Parse
		if len(data) > 0 && data[0] != '{' {
			parse = ParseSentencePiece
		}
		tok, err := parse("file", data)
		if err != nil {
			return
		}
		if len(text) > 1<<12 {
			text = text[:1<<12]
		}
		ids := tok.Encode(text, true)
		for _, id := range ids {
			if _, ok := tok.Token(id); !ok && !slices.Contains(tok.before, id) && !slices.Contains(tok.after, id) {
				t.Fatalf("id %d has no token", id)
			}
		}
		tok.Decode(ids, false)
		if again := tok.Encode(text, true); !slices.Equal(again, ids) {
			t.Fatalf("ids %v, then %v", ids, again)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	source, err := os.ReadFile("json.go")
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat(string(source), 100)
	for _, style := range []string{"neox", "falcon", "llama"} {
		tok, err := Open(filepath.Join(fixtures, style))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(style, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.Encode(text, false)
			}
		})
	}
}
