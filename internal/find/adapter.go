package find

import (
	"context"
	"errors"

	"github.com/gomamba/gomamba/internal/adapter"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layouts"
)

// ErrNoBase is the reason of Base's errors: it takes the base model's path.
var ErrNoBase = errors.New("the base model of an adapter is not known")

// Base returns the base model of an adapter that lies in a folder without one, and how the adapter calls it. That is taken from
// the cache and never downloaded: a file does not decide what is fetched. A path is not followed, for it is one of the machine that
// the adapter was trained on. path is empty for what is not such a folder.
func (f *Finder) Base(ctx context.Context, dir string) (path, name string, err error) {
	if !layout.AdapterAlone(dir) {
		return "", "", nil
	}
	name, revision, err := adapter.Base(dir)
	if err != nil {
		return "", "", err
	}
	refuse := func(detail string) error {
		return &noBase{&badfile.UnsupportedError{File: dir, Where: "base_model_name_or_path", Detail: detail}}
	}
	if name == "" {
		return "", "", refuse("missing: give the base model")
	}
	if hub.CheckRepo(name) != nil {
		return "", "", refuse("found " + badfile.Quote(name) + ", which is not a name on the hub: give the base model")
	}
	client, err := f.Client()
	if err != nil {
		return "", "", err
	}
	client.Offline = true
	path, err = client.Locate(ctx, hub.Ref{Repo: name, Revision: revision}, layouts.Files, nil, nil)
	if err != nil {
		return "", "", refuse("found " + badfile.Quote(name) + ", which is not in the cache: download it, or give the base model")
	}
	return path, name, nil
}

type noBase struct{ *badfile.UnsupportedError }

func (e *noBase) Unwrap() []error { return []error{e.UnsupportedError, ErrNoBase} }

// AdapterFiles selects what an adapter of PEFT is read from.
func AdapterFiles(names []string) ([]string, error) {
	return hub.Matching([]string{filenames.AdapterConfig, filenames.AdapterModel, filenames.AdapterTorch}, nil)(names)
}
