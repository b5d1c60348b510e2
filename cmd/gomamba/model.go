package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
)

// openCheckpoint opens MODEL and says on stderr what is odd about it.
func openCheckpoint(cmd *cobra.Command, opts loader.Options, path string) (*loader.Checkpoint, error) {
	ck, err := loader.Open(path, opts)
	if err != nil {
		return nil, err
	}
	for _, p := range ck.Problems() {
		if p.Severity == loader.Warning {
			fmt.Fprintf(cmd.ErrOrStderr(), "gomamba: warning: %s\n", p.Text)
		}
	}
	return ck, nil
}

// withModel opens MODEL, readies its network, and closes both after use.
func withModel(cmd *cobra.Command, s *settings, path string, use func(ck *loader.Checkpoint, m *model.Model) error) (err error) {
	ck, err := openCheckpoint(cmd, s.loading(), path)
	if err != nil {
		return err
	}
	defer closing(&err, ck)
	m, err := model.New(ck, model.Options{Threads: s.threads})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := use(ck, m); err != nil {
		return err
	}
	return ck.Changed()
}

// closing closes c and keeps its error where there is no other.
func closing(err *error, c interface{ Close() error }) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}

// tensorBytes is the size of all tensors of a checkpoint.
func tensorBytes(ck *loader.Checkpoint) (n int64) {
	for _, t := range ck.Tensors() {
		n += int64(len(t.Data))
	}
	return n
}
