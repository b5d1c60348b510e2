package megatron

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
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
	if src.File != "" && src.File != fileModel && src.File != fileCommon {
		dir = filepath.Join(dir, src.File)
	}
	if partName().MatchString(filepath.Base(dir)) && layout.Exists(filepath.Join(dir, fileModel)) {
		return place{filepath.Dir(dir), openParts}
	}
	if p := at(dir); p.form != nil {
		return p
	}
	latest := tracked(filepath.Join(dir, fileTracker))
	if p := at(filepath.Join(dir, latest)); latest != "" && p.form != nil {
		return p
	}
	only := place{}
	for _, name := range files.NamesIn(dir, maxNames) {
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
	if latest != "" && only.form != nil {
		return lost(dir, latest, only.dir)
	}
	return only
}

// lost is the place of a run whose tracker names an iteration that is not there, beside another.
func lost(dir, latest, other string) place {
	return place{dir, func(string, *layout.Weights) (*state, error) {
		return nil, &badfile.FormatError{File: filepath.Join(dir, fileTracker), Detail: "names " + badfile.Quote(latest) +
			", which is not there; found " + badfile.Quote(filepath.Base(other)) + ": give the one you mean"}
	}}
}

// at returns what the folder of an iteration holds.
func at(dir string) place {
	names := files.NamesIn(dir, maxNames)
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
	switch name := files.Line(path, 32); {
	case name == folderFinal:
		return name
	case digits().MatchString(name):
		return "iter_" + strings.Repeat("0", max(0, 7-len(name))) + name
	}
	return ""
}

var digits = lazy.Regexp(`^\d{1,12}$`)
