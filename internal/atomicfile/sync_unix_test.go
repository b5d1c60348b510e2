//go:build unix

package atomicfile

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSyncFallsBack writes a file and a folder where the system's full sync is not known: on macOS exFAT answers ENOTTY,
// macFUSE EINVAL. A disk that fails is another matter: its error is reported, and the output is gone.
func TestSyncFallsBack(t *testing.T) {
	real := disk
	defer func() { disk = real }()
	for _, c := range []struct {
		full, plain unix.Errno
		written     bool
	}{
		{unix.ENOTTY, 0, true}, {unix.EINVAL, 0, true}, {unix.ENOTSUP, 0, true},
		{unix.EIO, 0, false}, {unix.ENOSPC, 0, false}, {unix.ENOTTY, unix.EIO, false},
	} {
		fails := func(errno unix.Errno) func(*os.File) error {
			return func(f *os.File) error {
				if errno == 0 {
					return nil
				}
				return &os.PathError{Op: "sync", Path: f.Name(), Err: errno}
			}
		}
		disk = syncer{fails(c.full), fails(c.plain)}
		dir := t.TempDir()
		f, err := CreateFile(filepath.Join(dir, "file"), Options{})
		must(t, err)
		d, err := CreateDir(filepath.Join(dir, "folder"), Options{})
		must(t, err)
		part, err := d.Create("part")
		must(t, err)
		must(t, part.Close())
		fileErr, dirErr := f.Commit(), d.Commit()
		if (fileErr == nil) != c.written || (dirErr == nil) != c.written {
			t.Errorf("%v, then %v: %v and %v, expected to be written: %v", c.full, c.plain, fileErr, dirErr, c.written)
		}
		want := map[string]string{"file": "", "folder": "", "folder/part": ""}
		if !c.written {
			want = map[string]string{}
		}
		wantTree(t, dir, want)
	}

	disk = syncer{func(*os.File) error { return unix.EINVAL }, func(*os.File) error { return unix.EINVAL }}
	if err := syncDir(t.TempDir()); err != nil {
		t.Errorf("a folder that cannot be synced at all: %v", err)
	}
}
