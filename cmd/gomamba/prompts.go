package main

import (
	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/text"
)

// maxTemplate bounds the file of a chat template.
const maxTemplate = 1 << 20

// openTemplate reads the template in a file, or else that of the tokenizer; nil if there is none.
func openTemplate(cmd *cobra.Command, t *text.Tokenizer, file string) (*text.ChatTemplate, error) {
	if file == "" {
		return t.ChatTemplate()
	}
	file, err := input(cmd, "--chat-template", file)
	if err != nil {
		return nil, err
	}
	source, err := readInput(cmd, file, maxTemplate)
	if err != nil || len(source) == 0 {
		return nil, err
	}
	return t.ParseChatTemplate(string(source), file)
}

// loadCache reads a cache file, and what its sequences continue.
func loadCache(cmd *cobra.Command, m *model.Model, path string) (*model.Snapshot, []text.Past, error) {
	state, err := open(cmd, path, func() (*model.Snapshot, error) { return m.LoadSnapshot(path) })
	if err != nil {
		return nil, nil, err
	}
	return state, text.ReadPasts(state.Notes, state.Cache.Sequences), nil
}

// stopTokens returns the ids that end a text.
func stopTokens(cmd *cobra.Command, ck *loader.Checkpoint, t *text.Tokenizer) []int64 {
	ids, err := text.StopTokens(ck, t)
	if err != nil {
		warnStops(cmd, err)
	}
	return ids
}

// warnStops warns that what says where texts end cannot be read.
func warnStops(cmd *cobra.Command, err error) {
	warn(cmd, oneLine(err)+"; texts end where the rest of the checkpoint says")
}
