// Package find finds a model by the name that a user gives it: a path, the model in the box, or a repository on the
// Hugging Face hub.
package find

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/layouts"
)

// Finder finds models. Its functions may be nil, but Client.
type Finder struct {
	Client   func() (*hub.Client, error)                                // made if a name may be one on the hub
	Fetching func(client *hub.Client, repo string, missing *hub.Result) // called before a download
	Progress func(f hub.File, done int64)                               // called with how much of a file has arrived
}

// AddressError reports an address that is not that of a model.
type AddressError struct{ Err error }

func (e *AddressError) Error() string { return e.Err.Error() }
func (e *AddressError) Unwrap() error { return e.Err }

// Path returns where name is. What exists is a path, and so is Box; OWNER/NAME and an address of the hub are a repository
// there, taken from the cache or downloaded, of which choose says what is needed. Errors: fs.ErrNotExist for what can only
// be a path, *AddressError, and those of the hub.
func (f *Finder) Path(ctx context.Context, name string, choose hub.Select) (string, error) {
	if _, err := files.Lstat(name); err == nil {
		return name, nil
	}
	ref, ok := hub.ParseRef(name)
	if !ok && !hub.IsAddress(name) {
		return "", &notHere{name}
	}
	client, err := f.Client()
	if err != nil {
		return "", err
	}
	if !ok {
		if ref, err = client.ParseAddress(name); err != nil {
			return "", &AddressError{err}
		}
	}
	path, err := client.Locate(ctx, ref, choose, func(res *hub.Result) {
		if f.Fetching != nil {
			f.Fetching(client, ref.Repo, res)
		}
	}, f.Progress)
	switch {
	case err != nil && hub.IsAddress(name):
		return "", err
	case err != nil:
		return "", fmt.Errorf("%s: no such file or folder here%s, and not to be had from the hub: %w", name, hereToo(name), err)
	}
	return path, nil
}

// TokenizerFiles selects what a tokenizer is read from, or the whole model if its vocabulary is inside.
func TokenizerFiles(names []string) ([]string, error) {
	if found, err := hub.Matching(filenames.Vocabularies, nil)(names); err != nil || len(found) == 0 {
		return layouts.Files(names)
	}
	return hub.Matching(slices.Concat(filenames.Vocabularies, []string{filenames.TokenizerConfig, filenames.SpecialTokens,
		filenames.AddedTokens, filenames.Template, filenames.Templates + "/*.jinja", filenames.Config}), nil)(names)
}
