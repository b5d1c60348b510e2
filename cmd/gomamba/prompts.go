package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/text"
)

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

// runText encodes a text in pieces of n bytes and hands their ids on to run, because a text takes many times its memory as
// ids. It returns the past with the text, and how many bytes that has. A bar shows how much of size has been run.
func runText(cmd *cobra.Command, p text.Past, t *text.Tokenizer, in io.Reader, size int64, n int,
	run func(ctx context.Context, ids []int64) error) (after text.Past, read int64, err error) {
	bar := newBar(cmd, "", "bytes", size)
	defer bar.stop()
	err = text.EachPiece(in, t, n, func(piece string) (err error) {
		var ids []int64
		if ids, p, err = p.Encode(cmd.Context(), t, piece, false); err != nil {
			return err
		}
		from := read
		read += int64(len(piece))
		return run(progress.With(cmd.Context(), func(_, _ string, done, total int64) {
			bar.set(from + done*int64(len(piece))/total)
		}), ids)
	})
	return p, read, err
}
