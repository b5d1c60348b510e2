// Package mmap gives read-only access to a whole file as one byte slice, without reading it:
// pages come from the file when they are touched. Files that change or shrink underneath are noticed
// instead of ending the process.
package mmap

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
)

// File is an open file and its bytes. Its methods may be used from many goroutines, except Close.
type File struct {
	path string // as given to Open
	abs  string // the same, independent of the working directory
	file *os.File
	stat fs.FileInfo // at opening
	data []byte

	inMemory bool // data is part of the program
}

// tick is how far apart two changes of a file must be for their times to differ: the clocks that file systems take them
// from go by up to 10 ms. Open waits that long for a file written just now, so that Changed misses nothing.
const tick = 12 * time.Millisecond

// Open maps the file at path, following links. A directory, pipe, device or socket is refused before it
// is opened, so a pipe without a writer does not block. An empty file is fine and has nil data.
// Errors: *badfile.FormatError for what is not a regular file, *badfile.UnsupportedError for one larger
// than this platform can address, wrapped I/O errors otherwise.
func Open(path string) (_ *File, err error) {
	if data, stat, ok, err := files.Bytes(path); ok {
		if err == nil {
			err = checkRegular(path, stat)
		}
		if err != nil {
			return nil, err
		}
		return &File{path: path, stat: stat, data: data, inMemory: true}, nil
	}
	stat, err := os.Stat(path)
	if err != nil {
		return nil, err // names the operation and the path
	}
	if err := checkRegular(path, stat); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	// Ask again: the path may name something else since the first look.
	if stat, err = file.Stat(); err != nil {
		return nil, err
	}
	if age := time.Since(stat.ModTime()); age >= 0 && age < tick {
		time.Sleep(tick - age)
		if stat, err = file.Stat(); err != nil {
			return nil, err
		}
	}
	if err := checkRegular(path, stat); err != nil {
		return nil, err
	}
	f := &File{path: path, abs: abs, file: file, stat: stat}
	if stat.Size() == 0 {
		return f, nil
	}
	if stat.Size() > math.MaxInt {
		return nil, &badfile.UnsupportedError{File: path,
			Detail: fmt.Sprintf("%d bytes are more than a %d-bit program can address", stat.Size(), 32<<(^uint(0)>>63))}
	}
	if f.data, err = mapFile(file, int(stat.Size())); err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	register(f)
	return f, nil
}

// checkRegular refuses everything that does not hold bytes at rest.
func checkRegular(path string, stat fs.FileInfo) error {
	what := ""
	switch mode := stat.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	default:
		what = "a special file"
	}
	return &badfile.FormatError{File: path, Detail: "is " + what + ", expected a regular file"}
}

// Path returns the path given to Open.
func (f *File) Path() string { return f.path }

// Data returns the file's bytes. They are read-only: writing to them ends the program.
// Reading them after the file has shrunk is a fault; see Guard.
func (f *File) Data() []byte { return f.data }

// Size returns the file's size in bytes when it was opened.
func (f *File) Size() int64 { return f.stat.Size() }

// ReadAhead asks the operating system to start reading the whole file into memory. It returns at once, and where the
// platform or the file system does not know the request, it does nothing.
func (f *File) ReadAhead() {
	if len(f.data) > 0 && !f.inMemory {
		readAhead(f.data)
	}
}

// Changed reports whether the file was truncated, rewritten or replaced since it was opened, and how.
// A file that was merely removed or renamed has not changed: its bytes stay as they were.
func (f *File) Changed() error {
	if f.inMemory {
		return nil
	}
	now, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("check %s for changes: %w", f.path, err)
	}
	then := f.stat
	switch {
	case now.Size() < then.Size():
		return &badfile.FormatError{File: f.path,
			Detail: fmt.Sprintf("truncated from %d to %d bytes while in use", then.Size(), now.Size())}
	case now.Size() > then.Size():
		return &badfile.FormatError{File: f.path,
			Detail: fmt.Sprintf("changed while in use: grew from %d to %d bytes", then.Size(), now.Size())}
	case !now.ModTime().Equal(then.ModTime()):
		return &badfile.FormatError{File: f.path, Detail: fmt.Sprintf("changed while in use: written at %s, opened as of %s",
			now.ModTime().UTC().Format("2006-01-02T15:04:05.000Z"), then.ModTime().UTC().Format("2006-01-02T15:04:05.000Z"))}
	}
	if there, err := os.Stat(f.abs); err == nil && !os.SameFile(there, then) {
		return &badfile.FormatError{File: f.path, Detail: "changed while in use: replaced by another file"}
	}
	return nil
}

// Close releases the bytes and the file; slices of Data must not be touched afterwards.
// Closing twice is an error, as for os.File.
func (f *File) Close() error {
	if f.inMemory {
		f.data = nil
		return nil
	}
	var unmapErr error
	if f.data != nil {
		unregister(f)
		unmapErr = unmapFile(f.data)
		f.data = nil
	}
	if err := f.file.Close(); err != nil {
		return err
	}
	if unmapErr != nil {
		return fmt.Errorf("unmap %s: %w", f.path, unmapErr)
	}
	return nil
}
