package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/model"
)

// past is what a text goes on from: the last of the tokens before, on which it depends how the next ones are written and
// shown.
type past struct {
	IDs []int64 `json:"ids"`
	All bool    `json:"all"` // these are all; else there were more, or they are not known
	// Open says that a text was run without what the tokenizer puts behind it, such as </s>: it may go on.
	Open bool `json:"open,omitempty"`
}

// maxPast is how many tokens a past keeps: more than a character has.
const maxPast = 64

// notePast is the note of a cache file that holds what its sequences go on from, as JSON.
const notePast = "past"

// add returns the past with the tokens that follow, of which it keeps the last.
func (p past) add(ids []int64) past {
	if len(ids) == 0 {
		return p
	}
	if n := len(ids); n > maxPast {
		return past{IDs: slices.Clone(ids[n-maxPast:])}
	}
	after := past{IDs: slices.Concat(p.IDs, ids), All: p.All}
	if n := len(after.IDs); n > maxPast {
		after = past{IDs: after.IDs[n-maxPast:]}
	}
	return after
}

// encode returns the ids of a text, and the past with it. A text that goes on from nothing begins. With end, ids include
// what the tokenizer puts behind a text, which the past does not, as the text may go on.
func (p past) encode(ctx context.Context, t *tokenizer.Tokenizer, text string, end bool) (ids []int64, after past, err error) {
	if p.All && len(p.IDs) == 0 {
		ids, err = t.EncodeContext(ctx, text, false)
		ids = slices.Insert(ids, 0, t.Begin()...)
	} else {
		ids, err = t.ContinueContext(ctx, p.IDs, text)
	}
	after = p.add(ids)
	if end {
		return append(ids, t.End()...), after, err
	}
	after.Open = true
	return ids, after, err
}

// run encodes a text in pieces of n bytes, and hands their ids on to run: a text needs many times its memory as ids. It
// returns the past with the text, and how many bytes that has. A bar shows how much of size has been run.
func (p past) run(cmd *cobra.Command, t *tokenizer.Tokenizer, in io.Reader, size int64, n int,
	run func(ctx context.Context, ids []int64) error) (after past, read int64, err error) {
	bar := newBar(cmd, "", "bytes", size)
	defer bar.stop()
	err = eachPiece(in, t, n, func(text string) (err error) {
		var ids []int64
		if ids, p, err = p.encode(cmd.Context(), t, text, false); err != nil {
			return err
		}
		from := read
		read += int64(len(text))
		return run(progress.With(cmd.Context(), func(_, _ string, done, total int64) {
			bar.set(from + done*int64(len(text))/total)
		}), ids)
	})
	return p, read, err
}

// endings returns what the tokenizer puts behind texts that are open, none if nothing.
func endings(t *tokenizer.Tokenizer, pasts []past) [][]int64 {
	if t == nil || len(t.End()) == 0 || !slices.ContainsFunc(pasts, func(p past) bool { return p.Open }) {
		return nil
	}
	all := make([][]int64, len(pasts))
	for i := range pasts {
		if pasts[i].Open {
			all[i], pasts[i].Open = t.End(), false
		}
	}
	return all
}

// decoder returns what shows the tokens that follow.
func (p past) decoder(t *tokenizer.Tokenizer) *tokenizer.Decoder {
	d := t.NewDecoder(true)
	d.After(p.IDs, p.All)
	return d
}

// begun is the past of n texts that begin.
func begun(n int) []past {
	all := make([]past, n)
	for i := range all {
		all[i].All = true
	}
	return all
}

// loadCache reads a cache file, and what its sequences go on from.
func loadCache(cmd *cobra.Command, m *model.Model, path string) (*model.Snapshot, []past, error) {
	state, err := open(cmd, path, func() (*model.Snapshot, error) { return m.LoadSnapshot(path) })
	if err != nil {
		return nil, nil, err
	}
	return state, readPast(state.Notes, state.Cache.Sequences), nil
}

// readPast reads the note of a cache of n sequences. A cache without it goes on from a text that is not known.
func readPast(notes map[string]string, n int) []past {
	var all []past
	if err := json.Unmarshal([]byte(notes[notePast]), &all); err != nil || len(all) != n {
		return make([]past, n)
	}
	return all
}

// writePast is the reverse of readPast.
func writePast(all []past) (map[string]string, error) {
	text, err := json.Marshal(all)
	return map[string]string{notePast: string(text)}, err
}
