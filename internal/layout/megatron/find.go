package megatron

import (
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/lazy"
	"github.com/gomamba/gomamba/internal/sharded"
)

// The names of files and folders.
const (
	fileModel   = "model_optim_rng.pt"
	fileCommon  = "common.pt"
	fileTracker = "latest_checkpointed_iteration.txt"
	folderFinal = "release"
	maxNames    = 1 << 16
)

var (
	partName      = lazy.Regexp(`^mp_rank_\d{2,5}(?:_\d{3,5}){0,2}$`)
	iterationName = lazy.Regexp(`^iter_\d{1,12}$`)
)

// place is where a checkpoint lies.
type place struct {
	dir  string                                              // of the iteration
	form func(dir string, w *layout.Weights) (*state, error) // reads it; nil: there is none
}

// find returns what a source stands for: a part, an iteration, or a run, of which the last iteration or the only one counts.
func find(src layout.Source) place {
	dir := src.Dir
	if src.File != "" && src.File != fileModel {
		dir = filepath.Join(dir, src.File)
	}
	if partName().MatchString(filepath.Base(dir)) && layout.Exists(filepath.Join(dir, fileModel)) {
		return place{filepath.Dir(dir), openParts}
	}
	if p := at(dir); p.form != nil {
		return p
	}
	if name := tracked(filepath.Join(dir, fileTracker)); name != "" {
		return at(filepath.Join(dir, name))
	}
	only := place{}
	for _, name := range namesIn(dir) {
		if name != folderFinal && !iterationName().MatchString(name) {
			continue
		}
		if p := at(filepath.Join(dir, name)); p.form != nil {
			if only.form != nil {
				return place{}
			}
			only = p
		}
	}
	return only
}

// at returns what the folder of an iteration holds.
func at(dir string) place {
	names := namesIn(dir)
	switch {
	case slices.Contains(names, fileModel):
		return place{dir, openParts}
	case slices.Contains(names, sharded.Metadata) && slices.Contains(names, "metadata.json"):
		return place{dir, openDistributed}
	}
	for _, name := range names {
		if partName().MatchString(name) && layout.Exists(filepath.Join(dir, name, fileModel)) {
			return place{dir, openParts}
		}
	}
	return place{}
}

// namesIn lists a folder. What cannot be listed is empty: whatever opens it says why.
func namesIn(dir string) []string {
	if info, err := files.Stat(dir); err != nil || !info.IsDir() {
		return nil
	}
	names, _ := files.Names(dir, maxNames)
	return names
}

// choose selects the files of the parts of the last iteration of a repository, and what else lies at its top: the tokenizers of
// Megatron have names of their own.
func choose(all []string) (chosen []string, err error) {
	last := ""
	for _, name := range all {
		if iteration, part, file, ok := partFile(name); ok && partName().MatchString(part) && file == fileModel && (last == "" || iteration == folderFinal || iteration > last && last != folderFinal) {
			last = iteration
		}
	}
	if last == "" {
		return nil, nil
	}
	for _, name := range all {
		iteration, _, file, ok := partFile(name)
		if ok && iteration == last && file == fileModel || name == fileTracker || !strings.Contains(name, "/") && strings.HasSuffix(name, ".model") {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}

// partFile splits the path of a file of a part.
func partFile(path string) (iteration, part, file string, ok bool) {
	names := strings.Split(path, "/")
	if len(names) != 3 || names[0] != folderFinal && !iterationName().MatchString(names[0]) {
		return "", "", "", false
	}
	return names[0], names[1], names[2], true
}

// tracked returns the folder that Megatron's tracker names.
func tracked(path string) string {
	if info, err := files.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 32 {
		return ""
	}
	f, err := files.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 32))
	switch name := strings.TrimSpace(string(text)); {
	case name == folderFinal:
		return name
	case digits().MatchString(name):
		return "iter_" + strings.Repeat("0", max(0, 7-len(name))) + name
	}
	return ""
}

var digits = lazy.Regexp(`^\d{1,12}$`)
