package find

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
)

// notHere is the error of a model's path that leads nowhere.
type notHere struct{ arg string }

func (e *notHere) Error() string {
	text := badfile.Printable(e.arg) + ": no such file or folder"
	if meant := similar(e.arg); meant != "" {
		return text + "; did you mean " + badfile.Quote(meant) + "?"
	}
	return text + "; give a path, OWNER/NAME on the Hugging Face hub, or " + Box
}

func (e *notHere) Unwrap() error { return fs.ErrNotExist }

// maxListed bounds how many names of a folder are compared.
const maxListed = 4096

// similar returns the path most like one that leads nowhere: with a neighbour in place of its first element that is not
// there, if what follows is in it. It is empty if there is none.
func similar(path string) string {
	dir, missing, rest := split(path)
	names := files.NamesIn(dir, maxListed)
	if dir == "." && rest == "" {
		names = append(names, Box)
	}
	if rest != "" {
		names = slices.DeleteFunc(names, func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, name, rest))
			return err != nil
		})
	}
	if meant := badfile.Near(missing, names); meant != "" {
		return filepath.Join(dir, meant, rest)
	}
	return ""
}

// split cuts a path that leads nowhere: the folder that is there, the element that is not in it, and what follows.
func split(path string) (dir, missing, rest string) {
	path = filepath.Clean(path)
	for {
		dir, missing = filepath.Dir(path), filepath.Base(path)
		if _, err := os.Stat(dir); err == nil || dir == path {
			return dir, missing, rest
		}
		path, rest = dir, filepath.Join(missing, rest)
	}
}

// hereToo says what may have been meant by a path that is none, for the middle of a message.
func hereToo(arg string) string {
	if meant := similar(arg); meant != "" {
		return fmt.Sprintf(" (did you mean %s?)", badfile.Quote(meant))
	}
	return ""
}
