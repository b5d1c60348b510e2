package tokenizer

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/gguf"
)

// A GGUF file's pre-tokenizer cuts texts as llama.cpp does, and so does the tokenizer.json that is made of it.
func TestPresOfLlamaCpp(t *testing.T) {
	data, err := os.ReadFile("testdata/pres.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var texts []string
	if err := json.Unmarshal(file["texts"], &texts); err != nil {
		t.Fatal(err)
	}
	delete(file, "texts")
	for pre, raw := range file {
		var want [][]int64
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		kvs := neoxKeys(t, pre)
		tok, err := FromGGUF("m.gguf", kvs)
		if err != nil {
			t.Fatal(err)
		}
		text, err := RenderGGUF("m.gguf", kvs)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("tokenizer.json", text)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			if got := tok.Encode(text, true); !slices.Equal(got, want[i]) {
				t.Errorf("%s: %q is %v, want %v", pre, text, got, want[i])
			}
			if got := back.Encode(text, true); !slices.Equal(got, want[i]) {
				t.Errorf("%s, tokenizer.json: %q is %v, want %v", pre, text, got, want[i])
			}
		}
	}
	if len(file) < 5 {
		t.Errorf("%d pre-tokenizers", len(file))
	}
}

// neoxKeys are the keys of a GGUF file with the vocabulary of the style neox, cut by another pre-tokenizer.
func neoxKeys(t *testing.T, pre string) []gguf.KV {
	t.Helper()
	tok := open(t, "neox")
	tokens, types := make([]string, tok.Size()), make([]int32, tok.Size())
	for id := range tokens {
		tokens[id], _ = tok.Token(int64(id))
		types[id] = int32(normalPiece)
	}
	for _, a := range tok.Added() {
		types[a.ID] = int32(definedPiece)
		if a.Special {
			types[a.ID] = int32(controlPiece)
		}
	}
	merges := make([]string, len(tok.model.merges))
	for p, m := range tok.model.merges {
		merges[m.rank] = tokens[p>>32] + " " + tokens[uint32(p)]
	}
	return []gguf.KV{
		{Key: prefixGGUF + "model", Value: gguf.Of("gpt2")}, {Key: prefixGGUF + "pre", Value: gguf.Of(pre)},
		{Key: prefixGGUF + "tokens", Value: gguf.ArrayOf(tokens)}, {Key: prefixGGUF + "token_type", Value: gguf.ArrayOf(types)},
		{Key: prefixGGUF + "merges", Value: gguf.ArrayOf(merges)}, {Key: prefixGGUF + "bos_token_id", Value: gguf.Of(uint32(0))},
	}
}
