package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/stream"
)

// ErrNone is what errors are that say that a checkpoint comes without a tokenizer.
var ErrNone = errors.New("no tokenizer")

// ErrKind is what errors are that say that a GGUF file has a tokenizer of a kind that is not supported.
var ErrKind = errors.New("a kind of tokenizer that is not supported")

// unknownKind is an ErrKind.
type unknownKind struct{ badfile.UnsupportedError }

func (e *unknownKind) Is(target error) bool { return target == ErrKind }

func (e *unknownKind) Unwrap() error { return &e.UnsupportedError }

// noTokenizer is an ErrNone.
type noTokenizer struct{ path, found string }

func (e *noTokenizer) Error() string {
	return fmt.Sprintf("%s: %s, so text cannot be turned into token ids", e.path, e.found)
}

func (e *noTokenizer) Is(target error) bool { return target == ErrNone }

// Open reads the tokenizer at path: a tokenizer.json, a SentencePiece model, a GGUF file, or a checkpoint's folder, or a file
// in it, that has one of these. Errors: ErrNone if a folder does not have one, *badfile.FormatError,
// *badfile.UnsupportedError, or a wrapped I/O error.
func Open(path string) (*Tokenizer, error) {
	info, err := files.Stat(path)
	if err != nil && path != stream.Stdin {
		return nil, err
	}
	if err == nil && info.IsDir() {
		return openFolder(path)
	}
	switch base := filepath.Base(path); {
	case strings.HasSuffix(base, ".gguf"):
		return openGGUF(path)
	case base == filenames.Config, base == filenames.Params, strings.HasSuffix(base, ".index.json"),
		slices.Contains([]string{".safetensors", ".bin", ".pth", ".pt"}, filepath.Ext(base)):
		return openFolder(filepath.Dir(path))
	}
	if stream.Is(path) {
		data, err := stream.ReadFile(path, maxFile)
		if err != nil {
			return nil, err
		}
		return parse(path, data)
	}
	return openFile(path)
}

func openFolder(dir string) (*Tokenizer, error) {
	for _, name := range filenames.Vocabularies {
		path := filepath.Join(dir, name)
		if _, err := files.Stat(path); err == nil {
			return openFile(path)
		}
	}
	if ggufs := filenames.In(dir, "*.gguf"); len(ggufs) > 0 {
		return openGGUF(ggufs[0])
	}
	return nil, &noTokenizer{dir, "found none of " + strings.Join(filenames.Vocabularies, ", ")}
}

func openGGUF(path string) (_ *Tokenizer, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return FromGGUF(path, f.KVs())
}

// openFile reads a tokenizer.json or a SentencePiece model, and what the files beside it say.
func openFile(path string) (*Tokenizer, error) {
	data, err := jsonobj.ReadFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte("GGUF")) {
		return openGGUF(path)
	}
	t, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	return t, t.readConfig(filepath.Dir(path), isJSON(path, data))
}

// parse reads a tokenizer.json or a SentencePiece model.
func parse(path string, data []byte) (*Tokenizer, error) {
	if isJSON(path, data) {
		return Parse(path, data)
	}
	return ParseSentencePiece(path, data)
}

func isJSON(path string, data []byte) bool {
	return filepath.Ext(path) == ".json" || bytes.HasPrefix(bytes.TrimLeft(data, "\ufeff \t\r\n"), []byte("{"))
}
