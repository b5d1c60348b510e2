package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
)

// tokenizerFiles selects what a tokenizer is read from, or the whole model where it has its vocabulary inside.
func tokenizerFiles(names []string) ([]string, error) {
	if found, err := hub.Matching(filenames.Vocabularies, nil)(names); err != nil || len(found) == 0 {
		return hub.ModelFiles(names)
	}
	return hub.Matching(slices.Concat(filenames.Vocabularies, []string{filenames.TokenizerConfig, filenames.SpecialTokens,
		filenames.AddedTokens, filenames.Template, filenames.Templates + "/*.jinja", filenames.Config}), nil)(names)
}

// openTokenizer opens the tokenizer of MODEL, or MODEL as a tokenizer. A model of bytes needs none.
func openTokenizer(cmd *cobra.Command, s *settings, name string) (t *tokenizer.Tokenizer, err error) {
	path := stream.Stdin
	if name != "-" {
		if path, err = hubPath(cmd, name, tokenizerFiles); err != nil {
			return nil, err
		}
	}
	if path, err = input(cmd, "the tokenizer", path); err != nil {
		return nil, err
	}
	t, err = tokenizer.Open(path)
	if !errors.Is(err, tokenizer.ErrNone) {
		return t, err
	}
	ck, e := loader.Open(path, s.loading())
	if e != nil {
		return nil, err
	}
	if tokenizer.IsBytes(ck.Config().Shared().VocabSize) {
		t, err = tokenizer.Bytes(), nil
	}
	return t, errors.Join(err, ck.Close())
}

// tokenizerOf opens the tokenizer of a checkpoint: the one given, or the checkpoint's own.
func tokenizerOf(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, given string) (*tokenizer.Tokenizer, error) {
	if given != "" {
		return openTokenizer(cmd, s, given)
	}
	t, err := ownTokenizer(ck)
	if errors.Is(err, tokenizer.ErrNone) && tokenizer.IsBytes(ck.Config().Shared().VocabSize) {
		return tokenizer.Bytes(), nil
	}
	return t, err
}

func ownTokenizer(ck *loader.Checkpoint) (*tokenizer.Tokenizer, error) {
	if kvs := ck.GGUFKeys(); kvs != nil {
		return tokenizer.FromGGUF(ck.Path(), kvs)
	}
	return tokenizer.Open(ck.Path())
}
