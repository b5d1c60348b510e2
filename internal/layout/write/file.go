package write

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gomamba/gomamba/internal/atomicfile"
)

// Output is a file of the destination while it is in the staging folder. Its errors name the destination.
type Output struct {
	*os.File
	path      string
	writeback atomicfile.Writeback
}

// Create begins a file in a folder.
func Create(dir *atomicfile.Dir, name string) (*Output, error) {
	f, err := dir.Create(name)
	o := &Output{File: f, path: filepath.Join(dir.Path(), name)}
	return o, o.explain(err)
}

// WriteAt implements io.WriterAt.
func (o *Output) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.File.WriteAt(p, off)
	o.writeback.Wrote(o.File, n)
	return n, o.explain(err)
}

func (o *Output) explain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s %s: %w", e.Op, o.path, e.Err)
	}
	return err
}

// Finish closes the file. The error of that is reported if there is none before it.
func (o *Output) Finish(err *error) {
	if cerr := o.explain(o.Close()); *err == nil {
		*err = cerr
	}
}

// Small writes a file as a whole.
func Small(dir *atomicfile.Dir, name string, content []byte) (err error) {
	o, err := Create(dir, name)
	if err != nil {
		return err
	}
	defer o.Finish(&err)
	_, err = o.WriteAt(content, 0)
	return err
}
