package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fixtures holds small tokenizers, with what the tokenizers and sentencepiece libraries make of some texts.
const fixtures = "../../fixtures/tokenizers"

// vector is a text and its ids, or ids alone, and what these are decoded to.
type vector struct {
	Text    *string
	IDs     []int64
	Special []int64 // the ids with those that the post-processor adds
	Decoded string
}

func readVectors(t *testing.T, style string) []vector {
	t.Helper()
	return readFixture[vector](t, style, "vectors.json")
}

func readFixture[T any](t *testing.T, style, name string) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, style, name))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// check compares a tokenizer with the vectors of a style.
func check(t *testing.T, tok *Tokenizer, vectors []vector, special bool) {
	t.Helper()
	failed := 0
	for _, v := range vectors {
		if v.Text != nil {
			if got := tok.Encode(*v.Text, false); !slices.Equal(got, v.IDs) {
				t.Errorf("Encode(%+q)\n got %v\nwant %v", *v.Text, got, v.IDs)
				failed++
			}
			if got := tok.Encode(*v.Text, true); special && v.Special != nil && !slices.Equal(got, v.Special) {
				t.Errorf("Encode(%+q) with special tokens\n got %v\nwant %v", *v.Text, got, v.Special)
				failed++
			}
		}
		if got := tok.Decode(v.IDs, true); got != v.Decoded {
			t.Errorf("Decode(%v)\n got %+q\nwant %+q", v.IDs, got, v.Decoded)
			failed++
		}
		if failed > 5 {
			t.Fatal("and so on")
		}
	}
}

// Ids and texts are exactly those of Hugging Face's tokenizers, and for a SentencePiece model those of sentencepiece.
func TestVectors(t *testing.T) {
	for _, style := range []string{"neox", "falcon", "codestral", "llama", "llama3", "odd", "tekken", "sentencepiece"} {
		t.Run(style, func(t *testing.T) {
			tok, err := Open(filepath.Join(fixtures, style))
			if err != nil {
				t.Fatal(err)
			}
			vectors := readVectors(t, style)
			if len(vectors) < 100 {
				t.Fatalf("%d vectors", len(vectors))
			}
			check(t, tok, vectors, true)
		})
	}
}

// streamed is a sequence of ids and what the tokenizers library makes of each of its beginnings.
type streamed struct {
	IDs     []int64
	Decoded []string
}

// Text that arrives token by token is what the library makes of all tokens, wherever the prompt ends: what is not certain
// is held back, and nothing is taken back.
func TestStream(t *testing.T) {
	for _, style := range []string{"neox", "falcon", "codestral", "llama", "llama3", "odd", "tekken"} {
		tok := open(t, style)
		for _, v := range readFixture[streamed](t, style, "streams.json") {
			n := len(v.IDs)
			for cut := range n + 1 {
				if got := tok.Decode(v.IDs[:cut], true); got != v.Decoded[cut] {
					t.Fatalf("%s: Decode(%v)\n got %+q\nwant %+q", style, v.IDs[:cut], got, v.Decoded[cut])
				}
				var prompt, after strings.Builder
				d := tok.NewDecoder(true)
				for _, id := range v.IDs[:cut] {
					prompt.WriteString(d.Add(id))
				}
				d = tok.NewDecoder(true)
				d.After(v.IDs[:cut], true)
				for i, id := range v.IDs[cut:] {
					after.WriteString(d.Add(id))
					if got, want := prompt.String()+after.String()+d.Held(), v.Decoded[cut+i+1]; got != want {
						t.Fatalf("%s: %v after %v: shown and held %+q, want %+q", style, v.IDs[cut:][:i+1], v.IDs[:cut], got, want)
					}
				}
				if got := prompt.String() + after.String() + d.Flush(); got != v.Decoded[n] {
					t.Fatalf("%s: %v after %v: %+q, want %+q", style, v.IDs[cut:], v.IDs[:cut], got, v.Decoded[n])
				}
			}
		}
	}
}

// joint is a text in two parts, and the ids of either that the tokenizers library gives to the whole.
type joint struct {
	Before, After string
	IDs, Next     []int64
}

// A text that goes on has the ids of the whole: no space is put between the parts, and none is lost.
func TestContinue(t *testing.T) {
	for _, style := range []string{"neox", "falcon", "codestral", "llama", "llama3", "tekken"} {
		tok := open(t, style)
		for _, v := range readFixture[joint](t, style, "joints.json") {
			if got := tok.Continue(v.IDs, v.After); !slices.Equal(got, v.Next) {
				t.Errorf("%s: %+q after %+q\n got %v\nwant %v", style, v.After, v.Before, got, v.Next)
			}
		}
	}
	tok := open(t, "sentencepiece")
	whole := tok.Encode("the state space", false)
	if got := slices.Concat(tok.Encode("the state", false), tok.Continue(nil, " space")); !slices.Equal(got, whole) {
		t.Errorf("sentencepiece: %v, want %v", got, whole)
	}
}

func open(t *testing.T, style string) *Tokenizer {
	t.Helper()
	tok, err := Open(filepath.Join(fixtures, style))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// A long text, which is encoded in parts, has the ids that it has as one, with added tokens in it and after it.
func TestLongText(t *testing.T) {
	for _, style := range []string{"neox", "falcon", "llama", "codestral", "sentencepiece"} {
		parts, whole := open(t, style), open(t, style)
		if whole.cuts = false; !parts.cuts {
			t.Errorf("%s: a text cannot be cut", style)
		}
		text := strings.Repeat("A state  space\n model, \u2581 it's</s> 12 <|endoftext|> ünd\t so  </s>on ", 2*maxEncoded/60)
		if !slices.Equal(parts.Encode(text, true), whole.Encode(text, true)) ||
			!slices.Equal(parts.EncodeTemplate(text), whole.EncodeTemplate(text)) {
			t.Errorf("%s: other ids in parts", style)
		}
	}
}

// A text cut where Cut says has the ids of the whole.
func TestCut(t *testing.T) {
	for style, cuttable := range map[string]bool{
		"neox": true, "falcon": true, "llama": true, "codestral": true, "sentencepiece": true, "llama3": false, "tekken": false, "odd": false,
	} {
		tok, err := Open(filepath.Join(fixtures, style))
		if err != nil {
			t.Fatal(err)
		}
		var whole strings.Builder
		for _, v := range readVectors(t, style) {
			if v.Text != nil {
				whole.WriteString(*v.Text)
			}
		}
		text, want := whole.String(), tok.Encode(whole.String(), false)
		var got []int64
		cuts := 0
		for len(text) > 0 {
			at := 0
			for n := 300; at == 0 && n < len(text); n *= 2 {
				at = tok.Cut(text[:n])
			}
			if at > 0 {
				cuts++
			} else {
				at = len(text)
			}
			if got == nil {
				got = tok.Encode(text[:at], false)
			} else {
				got = append(got, tok.Continue(got, text[:at])...)
			}
			text = text[at:]
		}
		if !slices.Equal(got, want) || (cuts > 3) != cuttable {
			t.Errorf("%s: %d cuts, ids equal: %v", style, cuts, slices.Equal(got, want))
		}
	}
}
