package sharded

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
)

// latest are files that name the folder of DeepSpeed's last checkpoint.
var latest = []string{"latest", "latest_universal"}

// In returns where below dir such a checkpoint lies: ".", the folder that DeepSpeed's file "latest" names, or the only one. A model
// that DeepSpeed did not divide is a file there. It is empty if there is none.
func In(dir string) (string, error) { return in(dir, true) }

// in is In. deeper says that a checkpoint of Lightning may have a folder of its own there.
func in(dir string, deeper bool) (string, error) {
	if Is(dir) {
		return ".", nil
	}
	lost := ""
	for _, file := range latest {
		name := named(filepath.Join(dir, file))
		if name == "" {
			continue
		}
		if found := at(dir, name); found != "" {
			return found, nil
		}
		lost = file
	}
	var found []string
	for _, name := range files.NamesIn(dir, maxNames) {
		if strings.HasPrefix(name, "optimizer") { // as Accelerate calls what belongs to one
			continue
		}
		inside := at(dir, name)
		if inside == "" && deeper && ofLightning(dir, name) {
			below, err := in(filepath.Join(dir, name), false)
			if err != nil {
				return "", err
			}
			if below != "" {
				inside = filepath.Join(name, below)
			}
		}
		if inside != "" {
			found = append(found, inside)
		}
	}
	switch {
	case len(found) > 0 && lost != "":
		return "", &badfile.FormatError{File: filepath.Join(dir, lost), Detail: "names " + badfile.Quote(named(filepath.Join(dir, lost))) +
			", which is not there; found " + badfile.QuoteList(found) + ": give the one you mean"}
	case len(found) > 1:
		return "", &badfile.UnsupportedError{File: dir, Detail: "found several checkpoints of a trainer: " + badfile.QuoteList(found) + "; give the one you mean"}
	case len(found) == 1:
		return found[0], nil
	}
	return "", nil
}

// ofLightning reports whether Lightning may have saved a folder of DeepSpeed in a folder of dir, by its name or by a file in it.
func ofLightning(dir, name string) bool {
	return filepath.Ext(name) == ".ckpt" || slices.ContainsFunc(latest, func(file string) bool { return named(filepath.Join(dir, name, file)) != "" })
}

// at returns what there is in a folder of dir: the folder, or the only file of a model.
func at(dir, name string) string {
	names := files.NamesIn(filepath.Join(dir, name), maxNames)
	if isDistributed(names) || isZero(names) {
		return name
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, endingModel) })
	if len(names) == 1 && modelName().MatchString(names[0]) {
		return filepath.Join(name, names[0])
	}
	return ""
}

// named returns the name that a file holds, empty if it does not hold that of a folder beside it.
func named(path string) string {
	name := files.Line(path, 255)
	if !filepath.IsLocal(name) || strings.ContainsAny(name, "\n\x00") {
		return ""
	}
	return name
}
