package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/find"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/text"
)

// openTokenizer opens the tokenizer of MODEL, or MODEL as a tokenizer. A model of bytes does not need one.
func openTokenizer(cmd *cobra.Command, s *settings, name string) (t *text.Tokenizer, err error) {
	path := stream.Stdin
	if name != "-" {
		if path, err = hubPath(cmd, name, find.TokenizerFiles); err != nil {
			return nil, err
		}
	}
	if path, err = input(cmd, "the tokenizer", path); err != nil {
		return nil, err
	}
	t, err = interruptible(cmd, func() (*text.Tokenizer, error) { return text.Open(path) })
	if !errors.Is(err, text.ErrNoTokenizer) {
		return t, err
	}
	ck, e := loader.Open(path, s.loading())
	if e != nil {
		return nil, err
	}
	t, err = text.OpenOf(ck)
	return t, errors.Join(err, ck.Close())
}

// tokenizerOf opens the tokenizer of a checkpoint: the one given, or the checkpoint's own.
func tokenizerOf(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, given string) (*text.Tokenizer, error) {
	if given != "" {
		return openTokenizer(cmd, s, given)
	}
	return interruptible(cmd, func() (*text.Tokenizer, error) { return text.OpenOf(ck) })
}
