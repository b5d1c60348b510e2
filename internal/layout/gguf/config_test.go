package gguf

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/hostile"
)

// FuzzConfig feeds the keys of arbitrary GGUF files. A configuration that is accepted is valid, and comes back from its
// own keys if it can be written.
func FuzzConfig(f *testing.F) {
	for _, seed := range hostile.Seeds(".gguf") {
		f.Add(seed, 16, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, vocab int, tied bool) {
		file, err := gguf.Parse("fuzz", data)
		if err != nil {
			return
		}
		c, err := parseConfig("fuzz", file, vocab, tied)
		if err != nil {
			oneLine(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted but invalid: %v", err)
		}
		keys, own, err := encodeConfig(c)
		if err != nil {
			return // what llama.cpp has no keys for
		}
		var b memory
		arch := gguf.KV{Key: "general.architecture", Value: gguf.Of(config.Architecture(c))}
		w, err := gguf.NewWriter(&b, slices.Concat([]gguf.KV{arch}, keys, own), nil)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		written, err := gguf.Parse("again", b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig("again", written, c.Shared().VocabSize, c.Shared().TieWordEmbeddings)
		if err != nil {
			t.Fatalf("written and not read: %v", err)
		}
		if !reflect.DeepEqual(c.Clone(), again) {
			t.Fatalf("%+v came back as %+v", c, again)
		}
	})
}

// memory is a file in memory.
type memory []byte

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if end := int(at) + len(p); end > len(*m) {
		*m = append(*m, make([]byte, end-len(*m))...)
	}
	return copy((*m)[at:], p), nil
}

// oneLine checks what every message must be.
func oneLine(t *testing.T, err error) {
	t.Helper()
	_, format := errors.AsType[*badfile.FormatError](err)
	_, unsupported := errors.AsType[*badfile.UnsupportedError](err)
	if text := err.Error(); !format && !unsupported || len(text) > 1500 || strings.ContainsFunc(text, unicode.IsControl) {
		t.Fatalf("%T: %q", err, text)
	}
}
