package jsonobj

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
)

// ReadFile reads a small file whole. Only a regular file of at most limit bytes is opened for it: a pipe or a device
// would block, and nothing is read before its size is known to be acceptable. Symbolic links are followed.
// Errors: *badfile.FormatError for what is not such a file; I/O errors as os reports them.
func ReadFile(path string, limit int64) (data []byte, err error) {
	info, err := files.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := fit(path, info, limit); err != nil {
		return nil, err
	}
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			data, err = nil, cerr
		}
	}()
	// One byte beyond its size is enough to notice a file that grew since, or that the kernel makes up without end.
	buf := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(f, info.Size()+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if n > info.Size() {
		return nil, &badfile.FormatError{File: path, Detail: fmt.Sprintf("gave more than the %d bytes of its size: changed while it was read", info.Size())}
	}
	return buf.Bytes(), nil
}

// fit reports what makes a file unfit to be read whole.
func fit(path string, info fs.FileInfo, limit int64) error {
	if mode := info.Mode(); !mode.IsRegular() {
		what := "a device or other special file"
		switch {
		case mode.IsDir():
			what = "a folder"
		case mode&fs.ModeNamedPipe != 0:
			what = "a named pipe"
		case mode&fs.ModeSocket != 0:
			what = "a socket"
		}
		return &badfile.FormatError{File: path, Detail: "found " + what + ", expected a regular file"}
	}
	if info.Size() > limit {
		return tooLarge(path, info.Size(), limit)
	}
	return nil
}

func tooLarge(path string, size, limit int64) error {
	detail := fmt.Sprintf("found %d bytes or more, expected at most %d", size, limit)
	return &badfile.FormatError{File: path, Detail: detail}
}
