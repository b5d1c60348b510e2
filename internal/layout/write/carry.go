package write

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
)

// carriedTokenizer are the files beside the weights that a folder takes along unchanged.
var carriedTokenizer = filenames.Tokenizer

// maxCarried bounds one of them; tokenizers of published models take some megabytes.
const maxCarried = 1 << 28

// carry copies those of the named files that from has into dir, and reports whether there were any.
func carry(dir *atomicfile.Dir, from string, names []string) (found bool, err error) {
	for _, name := range names {
		path := filepath.Join(from, name)
		info, err := files.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxCarried {
			return false, &badfile.FormatError{File: path, Detail: "is not a regular file of at most 256 MiB, so it cannot be carried along"}
		}
		if err := copyFile(dir, name, path, info.Size()); err != nil {
			return false, err
		}
		found = true
	}
	return found, nil
}

// copyFile copies a file of that size. Files of the kernel's have a size of 0, and no end.
func copyFile(dir *atomicfile.Dir, name, from string, size int64) (err error) {
	in, err := files.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := Create(dir, name)
	if err != nil {
		return err
	}
	defer out.Finish(&err)
	n, err := io.Copy(io.NewOffsetWriter(out, 0), io.LimitReader(in, size+1))
	if err == nil && n != size {
		err = &badfile.FormatError{File: from, Detail: fmt.Sprintf("gave other than the %d bytes of its size: changed while it was read", size)}
	}
	return err
}
