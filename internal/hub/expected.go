package hub

import (
	"path/filepath"
	"strings"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// maxNote bounds a note about a downloaded file, which has three lines.
const maxNote = 1 << 12

// Expected returns what the hub said about the files of a folder when they were downloaded, by this or another program:
// for a snapshot in the cache, or a folder that notes were left in. It returns nil where that is not known.
func Expected(dir string) *Listing {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	store := filepath.Dir(filepath.Dir(dir))
	if name, ok := strings.CutPrefix(filepath.Base(store), "models--"); ok && filepath.Base(filepath.Dir(dir)) == "snapshots" &&
		commitPattern().MatchString(filepath.Base(dir)) {
		return readTree(store, strings.ReplaceAll(name, "--", "/"), filepath.Base(dir))
	}
	notes := (&folder{dir: dir}).trees()
	for _, path := range filenames.In(filepath.Join(notes, "download"), "*.metadata") {
		data, err := jsonobj.ReadFile(path, maxNote)
		commit, _, _ := strings.Cut(string(data), "\n")
		if err == nil && commitPattern().MatchString(commit) {
			return readTree(notes, "", commit) // all files of a folder are of one commit, but for those changed since
		}
	}
	return nil
}
