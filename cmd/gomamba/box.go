package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/fixtures"
)

// boxName is the MODEL that is in the program itself, unless there is a file or folder of that name.
const boxName = "box"

// boxPath unpacks the model in the box into a temporary folder, which goes when the program ends.
func boxPath(cmd *cobra.Command) (string, error) {
	dir, err := os.MkdirTemp("", "gomamba-")
	if err != nil {
		return "", err
	}
	atEnd(cmd, func() error { return os.RemoveAll(dir) })
	path := filepath.Join(dir, boxName)
	return path, os.CopyFS(path, fixtures.Box())
}

// tidying is what is left to do when a command has ended, well or not.
type tidying struct{ todo []func() error }

// tidyingKey finds a command's tidying in its context.
type tidyingKey struct{}

// withTidying readies a context for atEnd.
func withTidying(ctx context.Context) (context.Context, *tidying) {
	t := &tidying{}
	return context.WithValue(ctx, tidyingKey{}, t), t
}

// atEnd does something when the program ends.
func atEnd(cmd *cobra.Command, do func() error) {
	t := cmd.Context().Value(tidyingKey{}).(*tidying)
	t.todo = append(t.todo, do)
}

// tidy does it and returns the first error.
func (t *tidying) tidy() (err error) {
	for _, do := range t.todo {
		if e := do(); err == nil {
			err = e
		}
	}
	return err
}
