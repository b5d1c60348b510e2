package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
)

// stopTokens returns the ids that end a text: those of the checkpoint, or where it names none that of its tokenizer.
func stopTokens(cmd *cobra.Command, ck *loader.Checkpoint, t *tokenizer.Tokenizer) []int64 {
	ids, err := ck.StopTokens()
	if err != nil {
		warn(cmd, oneLine(err)+"; texts end where the rest of the checkpoint says")
	}
	if len(ids) == 0 {
		ids = eosOf(t)
	}
	return ids
}

// eosOf returns the token that ends a text for a tokenizer, which may be nil or have none.
func eosOf(t *tokenizer.Tokenizer) []int64 {
	if t == nil || t.Config().EOS == "" {
		return nil
	}
	id, ok := t.ID(t.Config().EOS)
	if !ok {
		return nil
	}
	return []int64{id}
}

// endsAt returns what tells these ids.
func endsAt(ids []int64) func(id int64) bool {
	return func(id int64) bool { return slices.Contains(ids, id) }
}
