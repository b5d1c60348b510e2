package gguf

import "slices"

// How llama.cpp finds the tokens that end a text (src/llama-vocab.cpp, llama_vocab::impl::load): those that keys name, and
// all that are spelled as ends of some model are.

// spelledEnds are the tokens that end a text wherever they are in a vocabulary.
var spelledEnds = []string{
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>",
	"</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>",
	"<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
}

// keyedEnds are the keys that name an end, and the tokens that are one if the key is not there.
var keyedEnds = []struct {
	key     string
	spelled []string
}{
	{"eos_token_id", nil},
	{"eot_token_id", nil}, // all are among spelledEnds
	{"eom_token_id", nil},
	{"fim_pad_token_id", []string{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
	{"fim_rep_token_id", []string{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
	{"fim_sep_token_id", []string{"<|file_sep|>"}},
}

// usualEOS is the end that llama.cpp assumes if the file names none, by the kind of the vocabulary.
var usualEOS = map[string]int64{"llama": 2, "gpt2": 11}

// Ends returns the ids of the tokens at which llama.cpp ends a text, in no order. ok is false for a file without text
// for its ids: llama.cpp knows no end there.
func Ends(kvs []KV) (ids []int64, ok bool) {
	v := newVocabulary(kvs)
	return v.ends(), len(v.tokens) > 0
}

// vocabulary is what the keys of a GGUF file say about tokens.
type vocabulary struct {
	values map[string]Value
	kind   string
	tokens []string // by id; none for ids without text
	ids    map[string]int64
}

func newVocabulary(kvs []KV) *vocabulary {
	v := &vocabulary{values: map[string]Value{}, ids: map[string]int64{}}
	for _, kv := range kvs {
		v.values[kv.Key] = kv.Value
	}
	if kind, ok := v.values["tokenizer.ggml.model"]; ok {
		v.kind, _ = kind.Str()
	}
	if tokens, ok := v.values["tokenizer.ggml.tokens"]; ok {
		v.tokens, _ = tokens.Strings()
	}
	for id, token := range v.tokens {
		v.ids[token] = int64(id)
	}
	return v
}

// id returns the token that a key names. ok is false for one that is not in the vocabulary too.
func (v *vocabulary) id(key string) (id int64, ok bool) {
	value, ok := v.values[key]
	if !ok {
		return 0, false
	}
	n, err := value.Uint()
	return int64(n), err == nil && n < uint64(len(v.tokens))
}

// ends returns the ids at which llama.cpp stops.
func (v *vocabulary) ends() (ids []int64) {
	spelled := func(tokens []string, most int) {
		for _, token := range tokens {
			if id, ok := v.ids[token]; ok && most > 0 {
				ids = append(ids, id)
				most--
			}
		}
	}
	for _, end := range keyedEnds {
		id, named := v.id("tokenizer.ggml." + end.key)
		switch usual, ok := usualEOS[v.kind]; {
		case named:
			ids = append(ids, id)
		case end.key == "eos_token_id" && ok && usual < int64(len(v.tokens)):
			ids = append(ids, usual)
		default:
			spelled(end.spelled, 1)
		}
	}
	spelled(spelledEnds, len(spelledEnds))
	return v.without(ids)
}

// without leaves out tokens that are spelled as an end and are none beside others.
func (v *vocabulary) without(ids []int64) []int64 {
	has := func(token string) bool {
		id, ok := v.ids[token]
		return ok && slices.Contains(ids, id)
	}
	drop := func(token string) {
		ids = slices.DeleteFunc(ids, func(id int64) bool { return v.tokens[id] == token })
	}
	call := has("<|call|>") || has("<|calls|>")
	if call && (has("<|return|>") || has("<|flush|>")) {
		drop("<|end|>")
	}
	if has("<|tool_response>") || has("<|plamo:eos|>") {
		drop("</s>")
	}
	return ids
}
