package loader

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/internal/filenames"
)

// Files returns the paths of the files that the checkpoint was read from, and of the files in its folder that belong to it:
// configuration, index, tokenizer, chat template, model card. Output must not be written to any of them.
func (ck *Checkpoint) Files() []string {
	var paths []string
	for _, f := range ck.weights.Files {
		paths = append(paths, f.Paths()...)
	}
	if ck.adapter != nil {
		paths = append(paths, ck.adapter.Paths()...)
	}
	beside := []string{ck.weights.Source}
	entries, _ := os.ReadDir(ck.path) // of a GGUF file: none
	for _, e := range entries {
		if filenames.Beside(e.Name()) {
			beside = append(beside, filepath.Join(ck.path, e.Name()))
		}
	}
	for _, path := range beside {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
