package write

import (
	"fmt"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
)

const (
	keyTokens = gguf.KeyTokenizer + "tokens"
	keyScores = gguf.KeyTokenizer + "scores"
	keyTypes  = gguf.KeyTokenizer + "token_type"

	tokenUnused = 5      // of the types (llama.h, enum llama_token_type)
	padScore    = -10000 // of such a token, as llama.cpp's converter has it
)

// inUse returns how many of the ids of a model with that many rows stand for something, and what says so.
func (x *Texts) inUse(rows int) (used int, by string) {
	if t := x.Open(); t != nil {
		return min(t.Size(), rows), "the tokenizer"
	}
	tokens, types := []string{}, []int64{}
	for _, kv := range x.Keys {
		switch kv.Key {
		case keyTokens:
			tokens, _ = kv.Value.Strings()
		case keyTypes:
			types, _ = kv.Value.Ints()
		}
	}
	for used = len(tokens); used > 0; used-- {
		if used > len(types) || types[used-1] != tokenUnused {
			return min(used, rows), "the token " + badfile.Quote(tokens[used-1])
		}
	}
	return 0, ""
}

// resize makes the lists of a GGUF file's vocabulary, which are as long as the embedding has rows, as long as it will have: what is
// added is unused.
func (x *Texts) resize(was, rows int) error {
	for i, kv := range x.Keys {
		v := &x.Keys[i].Value
		var err error
		switch {
		case kv.Key == keyTokens:
			var list []string
			if list, err = kv.Value.Strings(); err == nil && len(list) == was {
				*v = gguf.ArrayOf(resized(list, rows, func(id int) string { return fmt.Sprintf("[PAD%d]", id) }))
			}
		case kv.Key == keyScores:
			var list []float64
			if list, err = kv.Value.Floats(); err == nil && len(list) == was {
				narrow := make([]float32, len(list))
				for i, s := range list {
					narrow[i] = float32(s)
				}
				*v = gguf.ArrayOf(resized(narrow, rows, func(int) float32 { return padScore }))
			}
		case kv.Key == keyTypes:
			var list []int64
			if list, err = kv.Value.Ints(); err == nil && len(list) == was {
				narrow := make([]int32, len(list))
				for i, n := range list {
					narrow[i] = int32(n)
				}
				*v = gguf.ArrayOf(resized(narrow, rows, func(int) int32 { return tokenUnused }))
			}
		case strings.HasSuffix(kv.Key, gguf.KeyVocabSize):
			*v = gguf.Of(uint32(rows))
		}
		if err != nil {
			return &badfile.FormatError{File: x.path, Where: kv.Key, Detail: err.Error()}
		}
	}
	return nil
}

// resized returns the first n elements of a list, with more of them made if there are fewer.
func resized[E any](list []E, n int, more func(i int) E) []E {
	list = list[:min(n, len(list))]
	for i := len(list); i < n; i++ {
		list = append(list, more(i))
	}
	return list
}
