//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplacesLinkOnly checks that what a link at the destination points to stays.
func TestReplacesLinkOnly(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, map[string]string{"elsewhere/a": "kept", "file": "kept"})
			target := map[string]string{"file": "file", "dir": "elsewhere"}[k.name]
			must(t, os.Symlink(target, filepath.Join(dir, "out")))
			if _, err := k.create(filepath.Join(dir, "out"), Options{}, "new"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a link counts as free: %v", err)
			}
			o, err := k.create(filepath.Join(dir, "out"), Options{Replace: anything}, "new")
			must(t, err)
			must(t, o.Commit())
			want := k.holds("new")
			want["elsewhere"], want["elsewhere/a"], want["file"] = "", "kept", "kept"
			wantTree(t, dir, want)
		})
	}
}

// TestFailedCommit takes the temporary away and expects an error, and nothing at the destination.
func TestFailedCommit(t *testing.T) {
	for _, k := range kinds {
		dir := t.TempDir()
		o, err := k.create(filepath.Join(dir, "out"), Options{}, "x")
		must(t, err)
		switch o := o.(type) {
		case *File:
			must(t, os.Remove(o.temp.Name()))
		case *Dir:
			must(t, os.RemoveAll(o.temp))
		}
		if err := o.Commit(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(dir, "out")) {
			t.Errorf("%s: %v", k.name, err)
		}
		wantTree(t, dir, map[string]string{})
	}
}
