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
	data, err := os.ReadFile(filepath.Join(fixtures, style, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
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
	for _, style := range []string{"neox", "falcon", "codestral", "llama", "llama3", "odd", "sentencepiece"} {
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

// Text that arrives token by token is the text of all tokens, never a broken character, and held back no longer than
// needed.
func TestStream(t *testing.T) {
	for _, style := range []string{"neox", "falcon", "codestral", "llama", "sentencepiece"} {
		tok, err := Open(filepath.Join(fixtures, style))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range readVectors(t, style) {
			if strings.Contains(v.Decoded, "\ufffd") {
				continue // judged as a whole
			}
			d := tok.NewDecoder(true)
			var b strings.Builder
			for _, id := range v.IDs {
				b.WriteString(d.Add(id))
				if len(d.pending) > 3 {
					t.Fatalf("%s: %d bytes held back after %q", style, len(d.pending), b.String())
				}
			}
			if b.WriteString(d.Flush()); b.String() != v.Decoded {
				t.Errorf("%s: streamed %+q, want %+q", style, b.String(), v.Decoded)
			}
		}
	}
}

// A text cut where Cut says has the ids of the whole.
func TestCut(t *testing.T) {
	for style, cuttable := range map[string]bool{"neox": true, "falcon": true, "llama": false, "odd": false} {
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
			at := tok.Cut(text[:min(len(text), 300)])
			if at == 0 || len(text) <= 300 {
				at = len(text)
			} else {
				cuts++
			}
			got = append(got, tok.Encode(text[:at], false)...)
			text = text[at:]
		}
		if !slices.Equal(got, want) || (cuts > 3) != cuttable {
			t.Errorf("%s: %d cuts, ids equal: %v", style, cuts, slices.Equal(got, want))
		}
	}
}
