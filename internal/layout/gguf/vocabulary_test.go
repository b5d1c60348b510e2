package gguf

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gomamba/gomamba/config"
)

// A pre-tokenizer has the name that llama.cpp's converter gives it, in whatever spelling, and none if llama.cpp has another rule.
func TestPreNames(t *testing.T) {
	const (
		llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
		tekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` +
			`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` +
			`|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
		isolated = `"behavior": "Isolated", "invert": false`
		matches  = `"behavior": "Removed", "invert": true`
		gaps     = `"behavior": "Removed", "invert": false`
		digits   = `{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false}]}`
	)
	split := func(expr, how string) string {
		text, _ := json.Marshal(expr)
		return fmt.Sprintf(`{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": %s}, %s},
			{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}`, text, how)
	}
	for _, c := range []struct {
		family       config.Family
		split        string
		ignoreMerges bool
		want         string
	}{
		{config.Mamba2, split(llama3, isolated), true, "llama-bpe"},
		{config.NemotronH, split(llama3, isolated), true, "pixtral"},
		{config.NemotronH, split(llama3, matches), true, "pixtral"},
		{config.NemotronH, split(tekken, isolated), true, "tekken"},
		{config.NemotronH, split(tekken, isolated), false, ""},
		{config.GraniteHybrid, split(llama3, isolated), false, "dbrx"},
		{config.GraniteHybrid, split(llama3, matches), false, "dbrx"},
		{config.GraniteHybrid, split(llama3, gaps), false, ""},
		{config.GraniteHybrid, split(`\p{L}+`, matches), false, ""},
		{config.GraniteHybrid, digits, false, "refact"},
	} {
		text := fmt.Sprintf(`{"pre_tokenizer": %s, "model": {"type": "BPE", "ignore_merges": %v}}`, c.split, c.ignoreMerges)
		parsed, err := parseTokenizer([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if pre, ok := parsed.pre(c.family); pre.Name != c.want || ok != (c.want != "") {
			t.Errorf("%s of %s: %q, want %q", text, c.family, pre.Name, c.want)
		}
	}
}
