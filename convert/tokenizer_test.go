package convert_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/tensor"
)

// TestTokenizerInGGUF takes the tokenizers of published models along: the GGUF file makes the ids that tokenizer.json makes,
// and so does the folder that is made of it, which makes the same GGUF file again.
func TestTokenizerInGGUF(t *testing.T) {
	for style, names := range map[string][2]string{
		"neox":          {"tokenizer.json", "tokenizer.json"},
		"falcon":        {"tokenizer.json", "tokenizer.json"},
		"llama3":        {"tokenizer.json", "tokenizer.json"},
		"tekken":        {"tokenizer.json", "tokenizer.json"},
		"sentencepiece": {"tokenizer.model", "tokenizer.model.v3"}, // as Codestral calls it
	} {
		cfg := codestral(1, true)
		bos := 0
		if style == "sentencepiece" {
			bos = 1
		}
		cfg.VocabSize, cfg.BosTokenID = 528, &bos
		source := random(t, cfg, tensor.F32)
		own, err := os.ReadFile(filepath.Join("../fixtures/tokenizers", style, names[0]))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(source, names[1]), own, 0o644); err != nil {
			t.Fatal(err)
		}
		file := converted(t, source, place(t, convert.GGUF), convert.Request{To: convert.GGUF})
		folder := converted(t, file, place(t, convert.HF), convert.Request{To: convert.HF})
		again := converted(t, folder, place(t, convert.GGUF), convert.Request{To: convert.GGUF})
		for _, path := range []string{file, folder, again} {
			checkIDs(t, style, path)
		}
		if !maps.EqualFunc(tokenizerKeys(t, file), tokenizerKeys(t, again), gguf.Value.Equal) {
			t.Errorf("%s: the keys of the tokenizer changed on the way to a folder and back", style)
		}
	}
}

// checkIDs compares the ids of texts with those of the library that the tokenizer is from.
func checkIDs(t *testing.T, style, path string) {
	t.Helper()
	tok, err := tokenizer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join("../fixtures/tokenizers", style, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Text    *string
		IDs     []int64
		Special []int64
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	named := func(text string) bool { // to SentencePiece these are not tokens
		return style == "sentencepiece" && (strings.Contains(text, "<s>") || strings.Contains(text, "</s>") || strings.Contains(text, "<unk>"))
	}
	n := 0
	for _, v := range vectors {
		if v.Text == nil || named(*v.Text) {
			continue
		}
		n++
		if got := tok.Encode(*v.Text, false); !slices.Equal(got, v.IDs) {
			t.Fatalf("%s of %s: %q is %v, want %v", path, style, *v.Text, got, v.IDs)
		}
		if got := tok.Encode(*v.Text, true); v.Special != nil && !slices.Equal(got, v.Special) {
			t.Fatalf("%s of %s: %q is %v with what is around it, want %v", path, style, *v.Text, got, v.Special)
		}
	}
	if n < 100 {
		t.Fatalf("%s: %d texts", style, n)
	}
}

// tokenizerKeys returns the keys of a GGUF file that describe its tokenizer.
func tokenizerKeys(t *testing.T, path string) map[string]gguf.Value {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys := map[string]gguf.Value{}
	for _, kv := range f.KVs() {
		if strings.HasPrefix(kv.Key, "tokenizer.") {
			keys[kv.Key] = kv.Value.Clone()
		}
	}
	return keys
}

// TestPiecesInJSON: a tokenizer.json that was made of a SentencePiece model gives a GGUF file the same ids without that model; beside it
// the tokenizer.json decides whether texts begin with a space.
func TestPiecesInJSON(t *testing.T) {
	cfg := codestral(1, true)
	bos := 1
	cfg.VocabSize, cfg.BosTokenID = 528, &bos
	source := random(t, cfg, tensor.F32)
	own, err := os.ReadFile("../fixtures/tokenizers/sentencepiece/tokenizer.model")
	if err == nil {
		err = os.WriteFile(filepath.Join(source, "tokenizer.model"), own, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := converted(t, source, place(t, convert.GGUF), convert.Request{To: convert.GGUF})
	folder := converted(t, file, place(t, convert.HF), convert.Request{To: convert.HF})
	path := filepath.Join(folder, "tokenizer.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begins := strings.Contains(string(text), "Prepend")
	for _, with := range []bool{true, false} {
		if !with {
			if err := os.Remove(filepath.Join(folder, "tokenizer.model")); err != nil {
				t.Fatal(err)
			}
		}
		checkIDs(t, "sentencepiece", converted(t, folder, place(t, convert.GGUF), convert.Request{To: convert.GGUF}))
	}
	var other map[string]any
	if err := json.Unmarshal(text, &other); err != nil {
		t.Fatal(err)
	}
	space := map[string]any{"type": "Replace", "pattern": map[string]any{"String": " "}, "content": "▁"}
	other["normalizer"] = map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "Prepend", "prepend": "▁"}, space}}
	if begins {
		other["normalizer"] = space
	}
	for _, with := range []bool{false, true} {
		text, err := json.Marshal(other)
		if err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
		if err == nil && with {
			err = os.WriteFile(filepath.Join(folder, "tokenizer.model"), own, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := tokenizer.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tokenizer.Open(converted(t, folder, place(t, convert.GGUF), convert.Request{To: convert.GGUF}))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"state of a model", " state", "\n", "日本語 x", "  "} {
			if a, b := got.Encode(text, false), want.Encode(text, false); !slices.Equal(a, b) {
				t.Errorf("%v: %q: %v in the GGUF file, %v in tokenizer.json", with, text, a, b)
			}
		}
	}
}
