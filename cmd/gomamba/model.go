package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/doctor"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/find"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// openCheckpoint opens MODEL and says on stderr what is odd about it. MODEL may be an adapter, whose base model is in the cache.
func openCheckpoint(cmd *cobra.Command, opts loader.Options, name string) (*loader.Checkpoint, error) {
	path, err := modelPath(cmd, name)
	if err != nil {
		return nil, err
	}
	if opts.Adapter == "" {
		if path, opts.Adapter, err = baseOf(cmd, path); err != nil {
			return nil, err
		}
	} else if opts.Adapter, err = hubPath(cmd, opts.Adapter, find.AdapterFiles); err != nil {
		return nil, err
	}
	ck, err := loader.Open(path, opts)
	if err != nil {
		return nil, err
	}
	sessionOf(cmd).reads(ck.Files()...)
	for _, p := range ck.Problems() {
		switch p.Severity {
		case loader.Warning:
			warn(cmd, p.Text)
		case loader.Note:
			say(cmd, "gomamba: note: %s", p.Text)
		}
	}
	return ck, nil
}

// warn says on stderr what the user should know though the work continues.
func warn(cmd *cobra.Command, text string) {
	fmt.Fprintln(cmd.ErrOrStderr(), warning(cmd.ErrOrStderr(), text))
}

// warning is the line of a warning on w.
func warning(w io.Writer, text string) string {
	return yellow.on(w, "gomamba: warning:") + " " + badfile.Printable(text)
}

// say puts a line on stderr. Names from anybody's files may be in it.
func say(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintln(cmd.ErrOrStderr(), badfile.Printable(fmt.Sprintf(format, args...)))
}

// withModel opens MODEL, readies its network, and closes both after use. What use prints or writes should follow a look
// at m.Changed. If use writes or reads a cache file all weights are read for the fingerprint.
func withModel(cmd *cobra.Command, s *settings, path string, use func(ck *loader.Checkpoint, m *model.Model) error) (err error) {
	loading := s.loading()
	loading.Adapter = s.adapter
	ck, err := openCheckpoint(cmd, loading, path)
	if err != nil {
		return err
	}
	defer closing(&err, ck)
	opts := model.Options{Threads: s.threads, ParallelScan: s.parallelScan, DtFloor: s.dtFloor,
		Fingerprint: func() (string, error) { return fingerprint(cmd, s, ck) }}
	m, err := model.New(ck, opts)
	if err != nil {
		return err
	}
	defer m.Close()
	err = mmap.Guard(func() error { return use(ck, m) })
	if bad, ok := errors.AsType[*model.NonFiniteError](err); ok {
		return fmt.Errorf("%s: %w%s", ck.Path(), bad, blame(cmd, s, ck))
	}
	return err
}

// blame looks for non-finite weights once results are not finite. If it finds none, the values of
// activations grew too large.
func blame(cmd *cobra.Command, s *settings, ck *loader.Checkpoint) string {
	found, err := doctor.NonFinite(cmd.Context(), ck, loader.ReadOptions{Threads: s.threads})
	switch {
	case err != nil:
		return ""
	case len(found) == 0:
		return "; the weights are all finite, so the activations overflow float32"
	case len(found) == 1:
		return "; " + found[0]
	default:
		return fmt.Sprintf("; %s; the same in %s", found[0], badfile.Count(len(found)-1, "more tensor"))
	}
}

// warnNonFinite says where the states of a batch, or else its logits, stopped being finite.
func warnNonFinite(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, cache *model.Cache, badLogit *model.NonFiniteError) {
	where := cache.NonFinite()
	if badLogit != nil {
		badLogit.Where = where
		where = badLogit.Error()
	}
	if where != "" {
		warn(cmd, ck.Path()+": "+where+blame(cmd, s, ck))
	}
}

// fingerprint computes the fingerprint of a checkpoint.
func fingerprint(cmd *cobra.Command, s *settings, ck *loader.Checkpoint) (print string, err error) {
	err = withBar(cmd, tensorBytes(ck), func(progress func(done, total int64)) (err error) {
		print, err = compare.Fingerprint(cmd.Context(), ck, loader.ReadOptions{Threads: s.threads, Progress: progress})
		return err
	})
	return print, err
}

// closing closes c and keeps its error if there is no other.
func closing(err *error, c interface{ Close() error }) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}

// unread returns the tensor that a running model does not read: the stored copy of a tied head, or else the embedding, of
// which a token reads a row.
func unread(ck *loader.Checkpoint) (t tensor.Tensor, ok bool) {
	embedding, ok := ck.Tensor(names.Embedding)
	if !ck.Tied() {
		return embedding, ok
	}
	head, stored := ck.Tensor(names.Head)
	if !ok || !stored {
		return tensor.Tensor{}, false
	}
	return head, true
}

// tensorBytes is the size of all tensors of a checkpoint.
func tensorBytes(ck *loader.Checkpoint) (n int64) {
	for _, t := range ck.Tensors() {
		n += int64(t.Size())
	}
	return n
}
