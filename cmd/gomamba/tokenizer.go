package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
)

// tokenizerFiles selects what a tokenizer is read from, or the whole model where it has its vocabulary inside.
func tokenizerFiles(names []string) ([]string, error) {
	files := []string{"tokenizer.json", "tokenizer.model", "tokenizer.model.v3"}
	if found, err := hub.Matching(files, nil)(names); err != nil || len(found) == 0 {
		return hub.ModelFiles(names)
	}
	return hub.Matching(append(files, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"chat_template.jinja", "additional_chat_templates/*.jinja", "config.json"), nil)(names)
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
