package gguf

import (
	"fmt"
	"slices"
	"testing"
)

// Ends are those for which llama_vocab_is_eog of llama.cpp (llama-cpp-python 0.3.36) is true on such a file.
func TestEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   string
		tokens map[int]string // beside 20 plain ones
		ids    map[string]int
		want   []int64
	}{
		{"the end", "gpt2", nil, map[string]int{"eos": 3}, []int64{3}},
		{"of turns and messages", "gpt2", nil, map[string]int{"eos": 3, "eot": 4, "eom": 5}, []int64{3, 4, 5}},
		{"assumed", "gpt2", nil, nil, []int64{11}},
		{"assumed for SentencePiece", "llama", nil, nil, []int64{2}},
		{"out of range", "gpt2", nil, map[string]int{"eos": 99, "eot": 98}, []int64{11}},
		{"by spelling", "gpt2", map[int]string{7: "<|im_end|>", 8: "</s>", 9: "<|other|>"}, map[string]int{"eos": 3, "eot": 4}, []int64{3, 4, 7, 8}},
		{"of files and repositories", "gpt2", map[int]string{7: "<|repo_name|>", 8: "<|file_sep|>", 9: "<|fim_pad|>"}, map[string]int{"eos": 3, "fim_pad": 4}, []int64{3, 4, 7, 8}},
		{"not beside a return", "gpt2", map[int]string{7: "<|end|>", 8: "<|return|>", 9: "<|call|>"}, map[string]int{"eos": 3}, []int64{3, 8, 9}},
		{"not beside a tool's response", "gpt2", map[int]string{7: "</s>", 8: "<|tool_response>"}, map[string]int{"eos": 3}, []int64{3, 8}},
	} {
		tokens := make([]string, 20)
		for i := range tokens {
			if tokens[i] = test.tokens[i]; tokens[i] == "" {
				tokens[i] = fmt.Sprint("t", i)
			}
		}
		kvs := []KV{{"tokenizer.ggml.model", Of(test.kind)}, {"tokenizer.ggml.tokens", ArrayOf(tokens)}}
		for name, id := range test.ids {
			kvs = append(kvs, KV{"tokenizer.ggml." + name + "_token_id", Of(uint32(id))})
		}
		got, ok := Ends(kvs)
		if slices.Sort(got); !ok || !slices.Equal(slices.Compact(got), test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if _, ok := Ends([]KV{{"tokenizer.ggml.model", Of("none")}, {"tokenizer.ggml.eos_token_id", Of(uint32(0))}}); ok {
		t.Error("found tokens in a vocabulary without text")
	}
}
