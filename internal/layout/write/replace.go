package write

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/gguf"
)

// Replaces returns the judge of what may be replaced, none unless it was asked for.
func (o *Options) Replaces(judge func(path string) error) func(path string) error {
	if !o.Force {
		return nil
	}
	return judge
}

// replaceableFolder refuses to replace a folder that is not a checkpoint and nothing else: it must hold weights, and
// beside them only what belongs to a checkpoint.
func replaceableFolder(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	weights := false
	var foreign []string
	for _, e := range entries {
		switch name := e.Name(); {
		case e.IsDir() && !downloadNotes(path, name) && !chatTemplates(path, name):
			foreign = append(foreign, badfile.Quote(name+"/"))
		case e.IsDir(), filenames.Beside(name):
		case filenames.Weights(name):
			weights = true
		default:
			foreign = append(foreign, badfile.Quote(name))
		}
	}
	const shown = 3
	switch more := len(foreign) - shown; {
	case more > 0:
		foreign = append(foreign[:shown], fmt.Sprintf("%d more", more))
		fallthrough
	case len(foreign) > 0:
		return fmt.Errorf("%s: holds what does not belong to a checkpoint: %s; move it away, or choose another destination: "+
			"only a checkpoint is replaced", path, strings.Join(foreign, ", "))
	case !weights:
		return fmt.Errorf("%s: holds %s and no weights; remove it first, or choose another destination: only a checkpoint is replaced",
			path, badfile.Quote(entries[0].Name()))
	}
	return nil
}

// downloadNotes reports whether a folder in dir is the one in which downloads note what they fetched, and not a whole cache.
func downloadNotes(dir, name string) bool {
	only := func(dir string, names ...string) bool {
		entries, err := os.ReadDir(dir)
		return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !slices.Contains(names, e.Name()) })
	}
	return name == ".cache" && only(filepath.Join(dir, name), "huggingface") &&
		only(filepath.Join(dir, name, "huggingface"), "download", "trees", ".gitignore", ".gitignore.lock", "CACHEDIR.TAG")
}

// chatTemplates reports whether a folder in dir holds chat templates and nothing else.
func chatTemplates(dir, name string) bool {
	entries, err := os.ReadDir(filepath.Join(dir, name))
	return name == filenames.Templates && err == nil &&
		!slices.ContainsFunc(entries, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) != ".jinja" })
}

// ReplaceableGGUF refuses to replace a file that is not a GGUF file, or is one of something else than a model, as an
// importance matrix. A damaged one may be replaced.
func ReplaceableGGUF(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || !bytes.Equal(magic[:], []byte("GGUF")) {
		return fmt.Errorf("%s: is not a GGUF file, and is not replaced by one; remove it first, or choose another destination", path)
	}
	g, err := gguf.Open(path)
	if err != nil {
		return nil
	}
	defer g.Close()
	if kind, _ := g.Str("general.type"); kind == "imatrix" || kind == "adapter" {
		return fmt.Errorf("%s: holds an %s, and is not replaced by a model; remove it first, or choose another destination", path, kind)
	}
	return nil
}
