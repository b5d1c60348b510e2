package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// pieceFiles are the names of a SentencePiece model; mistral adds the version of its format.
var pieceFiles = []string{"tokenizer.model", "tokenizer.model.v3"}

// padScore is what llama.cpp's converter gives ids without a piece.
const padScore = -10000

// pieceVocabulary returns the tokenizer keys for a folder's SentencePiece model, after _set_vocab_sentencepiece of llama.cpp's
// converter. They are nil where there is no such model, or, as the note says, one of another algorithm.
func pieceVocabulary(dir string, cfg config.Config) (kvs []gguf.KV, note string, err error) {
	for _, name := range pieceFiles {
		path := filepath.Join(dir, name)
		data, err := jsonobj.ReadFile(path, maxTokenizer)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		pieces, err := tokenizer.ReadPieces(path, data)
		if _, unsupported := errors.AsType[*badfile.UnsupportedError](err); unsupported {
			return nil, err.Error() + ": the GGUF has token ids and no text", nil
		}
		if err != nil {
			return nil, "", err
		}
		if n := cfg.Shared().VocabSize; len(pieces.Texts) > n {
			return nil, "", &badfile.FormatError{File: path, Detail: fmt.Sprintf("found %d pieces, the model's vocabulary has %d", len(pieces.Texts), n)}
		}
		return pieceKeys(pieces, cfg.Shared()), "", nil
	}
	return nil, "", nil
}

// pieceKeys renders pieces as llama.cpp's vocabulary "llama".
func pieceKeys(p *tokenizer.Pieces, cfg *config.Common) []gguf.KV {
	for id := len(p.Texts); id < cfg.VocabSize; id++ {
		p.Texts = append(p.Texts, fmt.Sprintf("[PAD%d]", id))
		p.Scores, p.Types = append(p.Scores, padScore), append(p.Types, tokenUnused)
	}
	kvs := []gguf.KV{
		{Key: "tokenizer.ggml.model", Value: gguf.Of("llama")},
		{Key: "tokenizer.ggml.pre", Value: gguf.Of("default")},
		{Key: "tokenizer.ggml.tokens", Value: gguf.ArrayOf(p.Texts)},
		{Key: "tokenizer.ggml.scores", Value: gguf.ArrayOf(p.Scores)},
		{Key: "tokenizer.ggml.token_type", Value: gguf.ArrayOf(p.Types)},
	}
	kvs = append(kvs, specialTokens(cfg)...)
	if !p.SpaceBefore {
		kvs = append(kvs, gguf.KV{Key: "tokenizer.ggml.add_space_prefix", Value: gguf.Of(false)})
	}
	return kvs
}
