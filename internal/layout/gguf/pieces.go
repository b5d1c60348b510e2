package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/tokenizer"
)

// pieceFiles are the places of a folder's SentencePiece model.
func pieceFiles(dir string) []string {
	return []string{filepath.Join(dir, filenames.SentencePiece), filepath.Join(dir, filenames.SentencePieceV3)}
}

// keySpaceBefore says whether a text is begun with a space; without it it is.
const keySpaceBefore = "tokenizer.ggml.add_space_prefix"

// Scores that llama.cpp's converter gives ids without a piece, and tokens that are added.
const (
	padScore   = -10000
	addedScore = -1000
)

// pieceVocabulary returns the tokenizer keys for the first SentencePiece model that is there, after _set_vocab_sentencepiece
// of llama.cpp's converter. They are nil if there is none, or, as the note says, one of another algorithm.
func pieceVocabulary(paths []string, cfg config.Config) (kvs []gguf.KV, note string, err error) {
	for _, path := range paths {
		data, err := jsonobj.ReadFile(path, maxTokenizer)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		pieces, err := tokenizer.ReadPieces(path, data)
		if _, unsupported := errors.AsType[*badfile.UnsupportedError](err); unsupported {
			return nil, err.Error(), nil
		}
		if err != nil {
			return nil, "", err
		}
		if n := cfg.Shared().VocabSize; len(pieces.Texts) > n {
			return nil, "", &badfile.FormatError{File: path, Detail: fmt.Sprintf("found %d pieces, the model's vocabulary has %d", len(pieces.Texts), n)}
		}
		for id := len(pieces.Texts); id < cfg.Shared().VocabSize; id++ {
			pieces.Texts = append(pieces.Texts, fmt.Sprintf("[PAD%d]", id))
			pieces.Scores, pieces.Types = append(pieces.Scores, padScore), append(pieces.Types, tokenUnused)
		}
		if err := addPieces(pieces, filepath.Dir(path)); err != nil {
			return nil, "", err
		}
		return pieceKeys(pieces), "", nil
	}
	return nil, "", nil
}

// addPieces puts the tokens of added_tokens.json and of tokenizer_config.json in their places.
func addPieces(p *tokenizer.Pieces, dir string) error {
	set := func(id int, text string, kind int32) {
		if id >= 0 && id < len(p.Texts) {
			p.Texts[id], p.Scores[id], p.Types[id] = text, addedScore, kind
		}
	}
	added, err := readMembers(filepath.Join(dir, "added_tokens.json"))
	if err != nil {
		return err
	}
	for _, m := range added {
		if id, ok := m.Value.Int(); ok {
			set(id, m.Key, tokenUserDefined)
		}
	}
	settings, err := readMembers(filepath.Join(dir, filenames.TokenizerConfig))
	if err != nil {
		return err
	}
	v, _ := settings.Get("added_tokens_decoder")
	decoder, _ := v.Members()
	for _, m := range decoder {
		token, _ := m.Value.Members()
		marked, _ := token.Get("special")
		special, _ := marked.Bool()
		text := contentOf(m.Value)
		kind := addedType(text, special)
		if kind == tokenUserDefined {
			text = strings.ReplaceAll(text, "▁", " ")
		}
		if id, err := strconv.Atoi(m.Key); err == nil && text != "" {
			set(id, text, kind)
		}
	}
	return nil
}

// readMembers reads a JSON object; a file that is not there has none.
func readMembers(path string) (jsonobj.Members, error) {
	data, err := jsonobj.ReadFile(path, maxTokenizer)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	members, err := jsonobj.Parse(data)
	if err != nil {
		return nil, &badfile.FormatError{File: path, Detail: err.Error()}
	}
	return members, nil
}

// pieceKeys renders pieces as llama.cpp's vocabulary "llama".
func pieceKeys(p *tokenizer.Pieces) []gguf.KV {
	kvs := []gguf.KV{
		{Key: "tokenizer.ggml.model", Value: gguf.Of("llama")},
		{Key: "tokenizer.ggml.pre", Value: gguf.Of("default")},
		{Key: "tokenizer.ggml.tokens", Value: gguf.ArrayOf(p.Texts)},
		{Key: "tokenizer.ggml.scores", Value: gguf.ArrayOf(p.Scores)},
		{Key: "tokenizer.ggml.token_type", Value: gguf.ArrayOf(p.Types)},
	}
	if !p.SpaceBefore {
		kvs = append(kvs, gguf.KV{Key: keySpaceBefore, Value: gguf.Of(false)})
	}
	return kvs
}
