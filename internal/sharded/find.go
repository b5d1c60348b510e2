package sharded

import (
	"io"
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
func In(dir string) (string, error) {
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
	for _, name := range namesIn(dir) {
		if strings.HasPrefix(name, "optimizer") { // as Accelerate calls what belongs to one
			continue
		}
		inside := at(dir, name)
		for _, file := range latest { // Lightning has DeepSpeed's in a folder of its own
			if step := named(filepath.Join(dir, name, file)); inside == "" && step != "" {
				inside = at(dir, filepath.Join(name, step))
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

// at returns what there is in a folder of dir: the folder, or the only file of a model.
func at(dir, name string) string {
	names := namesIn(filepath.Join(dir, name))
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
	if info, err := files.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 255 {
		return ""
	}
	f, err := files.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 256))
	name := strings.TrimSpace(string(text))
	if !filepath.IsLocal(name) || strings.ContainsAny(name, "\n\x00") {
		return ""
	}
	return name
}
