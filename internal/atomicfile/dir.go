package atomicfile

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is an output directory in the making.
type Dir struct {
	target
	temp string
	done bool
}

// CreateDir starts an output directory that will be at path after Commit; it fails at once as CreateFile, when an
// empty directory is there already too. The caller ends it with Commit or Abort.
func CreateDir(path string, opts Options) (*Dir, error) {
	t, err := newTarget(path, opts, true)
	if err != nil {
		return nil, err
	}
	temp := t.tempName()
	if err := os.Mkdir(temp, 0o777); err != nil {
		return nil, t.failed(err)
	}
	begun(temp)
	return &Dir{target: t, temp: temp}, nil
}

// Path returns the destination as given to CreateDir.
func (d *Dir) Path() string { return d.path }

// Create creates a new file of that name in the staging directory, or in a folder of it, which is made if it is not there.
// The caller closes it before Commit and checks the error.
func (d *Dir) Create(name string) (*os.File, error) {
	folder, base := filepath.Split(name)
	if !filepath.IsLocal(name) || base == "" || base == "." || base == ".." || folder != "" && filepath.Clean(folder) != filepath.Base(folder) {
		return nil, fmt.Errorf("%s: %q is not the name of a file in it", d.path, name)
	}
	if folder != "" {
		if err := os.MkdirAll(filepath.Join(d.temp, folder), 0o777); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(filepath.Join(d.temp, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}

// Commit syncs everything created and puts the directory in its place in one step. With Replace the
// directory there before is removed afterwards. When it fails nothing is left behind and the destination is as it
// was. Without Replace it fails (fs.ErrExist) if the destination was taken meanwhile.
func (d *Dir) Commit() error {
	if d.done {
		return fmt.Errorf("commit %s: %w", d.path, errDone)
	}
	d.done = true
	defer ended(d.temp)
	if err := syncTree(d.temp); err != nil {
		os.RemoveAll(d.temp) // the first error is the one that counts
		return fmt.Errorf("%s: cannot sync the output to disk: %w", d.path, err)
	}
	old, err := "", d.stillFree(true)
	if err == nil {
		err = d.placed(placing(func() (err error) {
			old, err = system.placeDir(d.temp, d.abs, d.asideName(), d.replace != nil)
			return err
		}))
	}
	if err != nil {
		os.RemoveAll(d.temp)
		return err
	}
	if old != "" {
		begun(old)
		defer ended(old)
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("%s: written, but what was there before could not be removed: %w", d.path, err)
		}
	}
	return nil
}

// Abort drops the output and leaves the destination as it was. After Commit it does nothing, so it may be deferred.
// Files created in it should be closed before.
func (d *Dir) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	defer ended(d.temp)
	return os.RemoveAll(d.temp)
}

// syncTree syncs every regular file and every directory under root.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return syncDir(path)
		case !entry.Type().IsRegular():
			return nil
		}
		f, err := os.OpenFile(path, syncFlags, 0)
		if err != nil {
			return err
		}
		return cmp.Or(Sync(f), f.Close())
	})
}
