// Package layouts lists the layouts, each of which is a folder below internal/layout.
package layouts

import (
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layout/gguf"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/megatron"
	"github.com/gomamba/gomamba/internal/layout/mistral"
	"github.com/gomamba/gomamba/internal/layout/mlx"
	"github.com/gomamba/gomamba/internal/layout/original"
)

// All are the layouts in the order in which they are tried: the first that matches opens a folder and reports its own
// errors.
var All = []layout.Layout{megatron.Layout, original.Layout, original.Safetensors, mistral.Layout, mlx.Layout, hf.Layout, gguf.Layout}

// Default is the layout that is written unless another is asked for.
const Default = hf.Name

// Named returns the layout of that name.
func Named(name string) (l layout.Layout, ok bool) {
	for _, l := range All {
		if l.Name == name {
			return l, true
		}
	}
	return layout.Layout{}, false
}

// Detect finds the checkpoint that path means and its layout.
func Detect(path string) (src layout.Source, l layout.Layout, err error) {
	src.Dir = path
	info, err := files.Stat(path)
	if err != nil {
		return src, layout.Layout{}, err // names the operation and the path
	}
	if !info.IsDir() {
		for _, l := range All {
			if l.Asked == nil {
				continue
			}
			if src, ok := l.Asked(path); ok {
				return src, l, nil
			}
		}
		if src, err = layout.SourceOf(path); err != nil {
			return src, layout.Layout{}, err
		}
	} else {
		src = layout.SourceIn(path)
	}
	for _, l := range All {
		if l.Match(src) {
			return src, l, nil
		}
	}
	return src, layout.Layout{}, layout.NoMatch(src)
}

// Meant returns the layout that a folder which matches none was in: that of the default's configuration or of weights under
// a name that only one layout uses, or else the default.
func Meant(src layout.Source) layout.Layout {
	usual, _ := Named(Default)
	if layout.Exists(usual.Folder.Config(src)) {
		return usual
	}
	for _, l := range All {
		for _, name := range l.Repo.Weights {
			if !slices.Contains(usual.Repo.Weights, name) && layout.Exists(filepath.Join(src.Dir, name)) {
				return l
			}
		}
	}
	return usual
}

// Speaking returns the layout in whose dialect a configuration is, by its keys.
func Speaking(text []byte) layout.Layout {
	for _, l := range All {
		if l.Folder != nil && l.Folder.Is != nil && l.Folder.Is(text) {
			return l
		}
	}
	usual, _ := Named(Default)
	return usual
}
