// Package stream reads what a user may name in place of a file: standard input, or a pipe such as a shell makes of
// <(command). Its bytes come once and in order, so a format that is read at random places is read into memory whole.
package stream

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Stdin is the path that stands for standard input, on systems without such a file too.
var Stdin = os.Stdin.Name()

// Is reports whether path is standard input or a named pipe.
func Is(path string) bool {
	if path == Stdin {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// Open opens a path for which Is is true. Opening and reading wait for whoever writes to it.
func Open(path string) (io.ReadCloser, error) {
	if path == Stdin {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}

// ReadFile reads a file whole, as jsonobj.ReadFile does, or a stream to its end. Of either at most limit bytes are read:
// more is a *badfile.FormatError.
func ReadFile(path string, limit int64) (data []byte, err error) {
	if !Is(path) {
		return jsonobj.ReadFile(path, limit)
	}
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close() // it was only read
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, &badfile.FormatError{File: path, Detail: fmt.Sprintf("found more than %d bytes, expected at most that", limit)}
	}
	return data, nil
}
