package atomicfile

import (
	"cmp"
	"errors"
	"fmt"
	"os"
)

// File is an output file in the making. WriteAt may be used from many goroutines, the rest from one.
type File struct {
	target
	temp      *os.File
	writeback Writeback
	done      bool
}

// CreateFile starts an output that will be at path after Commit. It fails at once when path is taken (without
// Options.Replace, or by something other than a file), its folder is missing or not writable, or the space does not
// suffice. The caller ends it with Commit or Abort.
func CreateFile(path string, opts Options) (*File, error) {
	t, err := newTarget(path, opts, false)
	if err != nil {
		return nil, err
	}
	// The mode is the usual one less umask, where os.CreateTemp would make the output private for good.
	temp, err := os.OpenFile(t.tempName(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, t.failed(err)
	}
	begun(temp.Name())
	return &File{target: t, temp: temp}, nil
}

// Path returns the destination as given to CreateFile.
func (f *File) Path() string { return f.path }

// Write appends to the output, as io.Writer.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.temp.Write(p)
	return n, f.explain(err)
}

// WriteAt writes at a byte offset of the output, as io.WriterAt. It does not move where Write goes on.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.temp.WriteAt(p, off)
	f.writeback.Wrote(f.temp, n)
	return n, f.explain(err)
}

// ReadAt reads back from the output, as io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.temp.ReadAt(p, off) }

// explain names the destination instead of the temporary in a write error.
func (f *File) explain(err error) error {
	if err == nil {
		return nil
	}
	if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("write %s: %w", f.path, err)
}

// Commit puts the output in its place: synced, closed, renamed. When it fails nothing is left behind and the
// destination is as it was. Without Replace it fails (fs.ErrExist) if the destination was taken meanwhile.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("commit %s: %w", f.path, errDone)
	}
	f.done = true
	defer ended(f.temp.Name())
	err := cmp.Or(Sync(f.temp), f.temp.Close())
	if err == nil {
		err = f.stillFree(false)
	} else {
		err = f.explain(err)
	}
	if err == nil {
		err = f.placed(placing(func() error { return system.placeFile(f.temp.Name(), f.abs, f.replace != nil) }))
	}
	if err != nil {
		os.Remove(f.temp.Name()) // the first error is the one that counts
	}
	return err
}

// Abort drops the output and leaves the destination as it was. After Commit it does nothing, so it may be deferred.
func (f *File) Abort() error {
	if f.done {
		return nil
	}
	f.done = true
	defer ended(f.temp.Name())
	return cmp.Or(f.temp.Close(), os.Remove(f.temp.Name()))
}
