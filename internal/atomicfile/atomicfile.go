// Package atomicfile writes files and directories that appear at their destination whole or not at all.
//
// An output grows under a temporary name beside its destination, so that both lie on one file system. Commit syncs
// it, renames it into place in one step, and syncs the folder. A crash, a full disk or an Abort leaves what was at
// the destination before. Temporaries that a killed process left behind are removed by the next output to the
// same folder.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Options say how an output may take its place.
type Options struct {
	// Replace judges what is at the destination, which is replaced at Commit and not before: nil lets it be replaced, an
	// error says what is in the way. Without a judge nothing is replaced. Empty files and folders are not judged.
	Replace func(path string) error
	// Apart are files and folders that are read while the output is made: it may not fall on one, see the function Apart.
	Apart []string
	Need  int64 // bytes the output will take, if known: refused at once when the file system has less free
}

// ErrExists is what an error is that says that the destination is taken, and that nothing may be replaced. It is an
// fs.ErrExist.
var ErrExists = fmt.Errorf("atomicfile: %w", fs.ErrExist)

// existsError is an ErrExists.
type existsError struct {
	path  string
	while string // when it turned up, if not from the start
}

func (e *existsError) Error() string {
	return e.path + ": already exists" + e.while
}

func (e *existsError) Unwrap() error { return ErrExists }

// errDone answers a second Commit, or a Commit after Abort.
var errDone = errors.New("already committed or aborted")

// target is where an output goes.
type target struct {
	path    string // as given
	abs     string // independent of the working directory
	parent  string // folder of abs
	replace func(path string) error
}

// newTarget checks everything about a destination that can be known before the work, and clears the folder of
// temporaries whose process is gone.
func newTarget(path string, opts Options, dir bool) (target, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", path, err)
	}
	t := target{path: path, abs: abs, parent: filepath.Dir(abs), replace: opts.Replace}
	if err := checkParent(path, t.parent); err != nil {
		return target{}, err
	}
	if err := Apart(path, opts.Apart...); err != nil {
		return target{}, err
	}
	if err := t.checkFree(dir); err != nil {
		return target{}, err
	}
	removeStale(t.parent)
	if free, ok := FreeSpace(t.parent); ok && opts.Need > 0 && uint64(opts.Need) > free {
		return target{}, fmt.Errorf("%s: needs %d bytes, the disk has %d free", path, opts.Need, free)
	}
	return t, nil
}

// checkParent refuses a path whose folder is not there.
func checkParent(path, parent string) error {
	switch stat, err := os.Stat(parent); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: the folder %s does not exist; create it first", path, parent)
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case !stat.IsDir():
		return fmt.Errorf("%s: %s is not a folder", path, parent)
	}
	return nil
}

// checkFree refuses a destination that is taken and may not, or cannot sensibly, be replaced.
func (t target) checkFree(dir bool) error {
	there, err := os.Lstat(t.abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", t.path, err)
	case t.replace == nil:
		return &existsError{path: t.path}
	}
	if there.Mode()&fs.ModeSymlink != 0 {
		// The link itself will be replaced, never what it points to; but a surprise is refused all the same.
		if there, err = os.Stat(t.abs); err != nil {
			return nil
		}
	}
	switch {
	case dir && !there.IsDir():
		return fmt.Errorf("%s: is a file, and the output is a folder; remove it first", t.path)
	case !dir && there.IsDir():
		return fmt.Errorf("%s: is a folder, and the output is a file; name a file in it", t.path)
	case !dir && !there.Mode().IsRegular():
		return fmt.Errorf("%s: is not a regular file and is not replaced", t.path)
	case dir:
		if cwd, err := os.Getwd(); err == nil && within(cwd, there) {
			return fmt.Errorf("%s: is the current folder or holds it, and is not replaced; choose another", t.path)
		}
	}
	if empty, err := t.empty(there); empty || err != nil {
		return err
	}
	return t.replace(t.path)
}

// stillFree judges a destination again before it is replaced: the work may have taken hours.
func (t target) stillFree(dir bool) error {
	if t.replace == nil {
		return nil // whoever takes a free name finds out whether it still is
	}
	return t.checkFree(dir)
}

// empty reports whether there is nothing to lose at the destination.
func (t target) empty(there fs.FileInfo) (bool, error) {
	if !there.IsDir() {
		return there.Size() == 0, nil
	}
	dir, err := os.Open(t.abs)
	if err != nil {
		return false, fmt.Errorf("%s: %w", t.path, err)
	}
	defer dir.Close()
	_, err = dir.Readdirnames(1)
	return err == io.EOF, nil
}

// Check reports what CreateFile would refuse, before the work that leads to an output.
func Check(path string, opts Options) error {
	_, err := newTarget(path, opts, false)
	return err
}

// failed explains why nothing could be created in the destination's folder.
func (t target) failed(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err // the temporary's name means nothing to the user
	}
	return fmt.Errorf("%s: cannot write in the folder %s: %w", t.path, t.parent, err)
}

// placed ends a commit after the output has its final name.
func (t target) placed(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return &existsError{path: t.path, while: ", written by another program meanwhile"}
	}
	if err != nil {
		return fmt.Errorf("%s: cannot put the finished output in place: %w", t.path, err)
	}
	if err := syncDir(t.parent); err != nil {
		return fmt.Errorf("%s: written, but the folder could not be synced: %w", t.path, err)
	}
	return nil
}

// within reports whether dir, or a folder above it, is the file that info describes.
func within(dir string, info fs.FileInfo) bool {
	for {
		if stat, err := os.Stat(dir); err == nil && os.SameFile(stat, info) {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}
