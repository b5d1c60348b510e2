package tokenizer

import (
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/gguf"
)

// A vocabulary that would have other ids as a tokenizer.json is refused, by what is in the way.
func TestRenderRefused(t *testing.T) {
	bytes := func(pre string, tokens []string, types []int32) []gguf.KV {
		return []gguf.KV{
			{Key: prefixGGUF + "model", Value: gguf.Of("gpt2")}, {Key: prefixGGUF + "pre", Value: gguf.Of(pre)},
			{Key: prefixGGUF + "tokens", Value: gguf.ArrayOf(tokens)}, {Key: prefixGGUF + "token_type", Value: gguf.ArrayOf(types)},
			{Key: prefixGGUF + "merges", Value: gguf.ArrayOf([]string{"a b"})},
		}
	}
	pieces := func(tokens []string, scores []float32, types []int32, more ...gguf.KV) []gguf.KV {
		return append([]gguf.KV{
			{Key: prefixGGUF + "model", Value: gguf.Of("llama")},
			{Key: prefixGGUF + "tokens", Value: gguf.ArrayOf(tokens)}, {Key: prefixGGUF + "scores", Value: gguf.ArrayOf(scores)},
			{Key: prefixGGUF + "token_type", Value: gguf.ArrayOf(types)},
		}, more...)
	}
	for _, c := range []struct {
		kvs  []gguf.KV
		want string
	}{
		{bytes("gpt-2", []string{"a", "b", "ab"}, []int32{1, 1, 1}), ""},
		{bytes("gpt-2", []string{"a", "b", "ab", "[PAD3]", "<x>"}, []int32{1, 1, 1, 5, 3}), ""},
		{bytes("gpt-4o", []string{"a", "b", "ab"}, []int32{1, 1, 1}), `key tokenizer.ggml.pre: found "gpt-4o", expected one of olmo, mpt, gpt-2`},
		{bytes("gpt-2", []string{"a", "b", "ab", "ab"}, []int32{1, 1, 1, 3}), `the tokens 2 and 3 are both "ab"`},
		{bytes("gpt-2", []string{"a", "b", "ab", "\xff"}, []int32{1, 1, 1, 1}), "token 3 is not valid UTF-8"},
		{bytes("gpt-2", []string{"a", "b", "ab", "a"}, []int32{3, 1, 1, 1}), `the tokens 0 and 3 are both "a"`},
		{pieces([]string{"<unk>", "a", "b", "ab"}, []float32{0, -2, -3, -1}, []int32{2, 1, 1, 1}), ""},
		{pieces([]string{"<unk>", "a", "b", "ab", "ba"}, []float32{0, -2, -3, -1, -1}, []int32{2, 1, 1, 1, 1}), `the tokens "ab" and "ba" have the same score`},
		{pieces([]string{"<unk>", "a", "<x>"}, []float32{0, -2, -3}, []int32{2, 1, 4}), "found tokens that the user defined"},
		{pieces([]string{"<unk>", "a", "<x>"}, []float32{0, -2, -3}, []int32{2, 1, 4},
			gguf.KV{Key: prefixGGUF + "add_space_prefix", Value: gguf.Of(false)}), ""},
		{pieces([]string{"<unk>", "a"}, []float32{0, -2}, []int32{2, 1},
			gguf.KV{Key: prefixGGUF + "remove_extra_whitespaces", Value: gguf.Of(true)}), "remove_extra_whitespaces: found true"},
	} {
		_, err := RenderGGUF("m.gguf", c.kvs)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
