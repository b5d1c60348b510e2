package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestPlacers runs every way of placing an output that some system or file system leaves us with.
func TestPlacers(t *testing.T) {
	no := func(string, string) error { return errors.ErrUnsupported }
	broken := func(string, string) error { return fs.ErrPermission }
	for _, c := range []struct {
		name string
		p    placer
	}{
		{"system", system},
		{"links", placer{no, no, system.renameOver, os.Link}},
		{"neither", placer{no, no, system.renameOver, broken}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, force := range []bool{false, true} {
				dir := t.TempDir()
				put(t, dir, map[string]string{"f1": "1", "f2": "2", "d1/a": "1", "d2/a": "2"})
				in := func(name string) string { return filepath.Join(dir, name) }
				must(t, c.p.placeFile(in("f1"), in("f"), force))
				old, err := c.p.placeDir(in("d1"), in("d"), in("aside"), force)
				if old != "" || err != nil {
					t.Fatal(old, err)
				}
				want := map[string]string{"f": "1", "f2": "2", "d": "", "d/a": "1", "d2": "", "d2/a": "2"}
				wantTree(t, dir, want)

				fileErr := c.p.placeFile(in("f2"), in("f"), force)
				old, dirErr := c.p.placeDir(in("d2"), in("d"), in("aside"), force)
				if !force {
					if !errors.Is(fileErr, fs.ErrExist) || !errors.Is(dirErr, fs.ErrExist) {
						t.Errorf("replaced without force: %v, %v", fileErr, dirErr)
					}
					wantTree(t, dir, want)
					continue
				}
				must(t, fileErr)
				must(t, dirErr)
				if _, err := os.Stat(filepath.Join(old, "a")); err != nil {
					t.Errorf("what was there is not at %q: %v", old, err)
				}
				must(t, os.RemoveAll(old))
				wantTree(t, dir, map[string]string{"f": "2", "d": "", "d/a": "2"})
			}
		})
	}

	t.Run("restores", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"temp/a": "new", "d/a": "old"})
		calls := 0
		p := placer{exchange: no, renameNew: func(from, to string) error {
			if calls++; calls == 2 { // the second step of the two
				return fs.ErrPermission
			}
			return system.renameNew(from, to)
		}}
		_, err := p.placeDir(filepath.Join(dir, "temp"), filepath.Join(dir, "d"), filepath.Join(dir, "aside"), true)
		if !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
		wantTree(t, dir, map[string]string{"temp": "", "temp/a": "new", "d": "", "d/a": "old"})
	})
}
