package dump

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// Writer writes a dump piece by piece, so that the logits of a long prompt are never in memory as a whole.
type Writer struct {
	file    *atomicfile.File
	content *safetensors.Writer
	dtype   map[string]tensor.DType
}

// Create starts the dump that will be at path after Commit, with exactly these tensors. Their dtypes and shapes must
// agree as Read demands. A dump at path is replaced: it is a result, made again as often as the command is repeated, as
// compilers treat their outputs. Until Commit the old file stays as it is. Anything else at path, such as weights, a
// folder or a device, is an error. metadata goes into the file's header and may be nil.
func Create(path string, tensors []safetensors.Entry, metadata map[string]string) (_ *Writer, err error) {
	_, unknown, _, err := check(path, tensors)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("dump: %s does not belong in a dump", badfile.Quote(unknown[0]))
	}
	_, _, size, err := safetensors.Layout(tensors, metadata)
	if err != nil {
		return nil, err
	}
	// Through a link to the file it leads to; renaming would replace the link.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	w := &Writer{dtype: make(map[string]tensor.DType, len(tensors))}
	for _, t := range tensors {
		w.dtype[t.Name] = t.DType
	}
	if w.file, err = atomicfile.CreateFile(path, atomicfile.Options{Replace: Replaceable, Need: size}); err != nil {
		return nil, err
	}
	if w.content, err = safetensors.NewWriter(w.file, tensors, metadata); err != nil {
		return nil, errors.Join(err, w.file.Abort())
	}
	return w, nil
}

// Write writes values into the tensor called name, from its element first on. Pieces may come in any order and from
// many goroutines; each element is written once. The tensor's dtype must be that of the values.
func Write[T float32 | float64 | int64](w *Writer, name string, first int, values []T) error {
	t := tensor.Of(name, values, len(values))
	if dtype, ok := w.dtype[name]; ok && dtype != t.DType {
		return fmt.Errorf("dump: %s values for %s, which was announced as %s", t.DType, badfile.Quote(name), dtype)
	}
	return w.content.WriteAt(name, int64(first)*int64(t.DType.Size()), t.Data)
}

// Commit makes sure that every element was written and puts the file in its place. Nothing is left when it fails.
func (w *Writer) Commit() error {
	if err := w.content.Close(); err != nil {
		return errors.Join(err, w.file.Abort())
	}
	return w.file.Commit()
}

// Abort drops the file. After Commit it does nothing, so it may be deferred.
func (w *Writer) Abort() error { return w.file.Abort() }
