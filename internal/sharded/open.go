// Package sharded opens checkpoints as trainers leave them, spread over the files of several processes: those of
// torch.distributed.checkpoint (FSDP, Accelerate, torchtitan) and of DeepSpeed's ZeRO. What belongs to a tensor stays where it
// is, in mapped files, and is joined as it is used. States of the optimizer are left out.
//
// Pickles are read by package torchbin: nothing in them is executed.
package sharded

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// File is such a checkpoint.
type File struct {
	dir     string
	program string
	masters bool // the weights are the optimizer's float32 copy of what trains in fewer bits
	left    bool // states of the optimizer and of training are left out

	mapped  []mapped
	shards  map[string]*mmap.File // of a distributed checkpoint, by name
	objects map[string]chunk      // where it has what is not a tensor, by name
	tensors []tensor.Tensor
	seen    map[string]bool // their names
}

type mapped interface {
	Paths() []string
	Changed() error
	Close() error
}

// The names of files.
const (
	Metadata      = ".metadata" // of torch.distributed.checkpoint
	metaLightning = "meta.pt"   // beside it, what Lightning keeps and is not a tensor
	endingShard   = ".distcp"
	endingStates  = "_optim_states.pt"
	endingModel   = "_model_states.pt"
	maxNames      = 1 << 16
)

// Is reports whether a folder is such a checkpoint.
func Is(dir string) bool {
	names := files.NamesIn(dir, maxNames)
	return isDistributed(names) || isZero(names)
}

// IsPart reports whether a file of that name is one of several.
func IsPart(name string) bool {
	return name == Metadata || name == metaLightning || strings.HasSuffix(name, endingShard) || strings.HasSuffix(name, endingStates) || strings.HasSuffix(name, endingModel)
}

func isDistributed(names []string) bool {
	return slices.Contains(names, Metadata) || hasEnding(names, endingShard)
}

// isZero leaves out a model that is not divided: in stages 1 and 2 the states of the model alone are one file of all weights.
func isZero(names []string) bool {
	return hasEnding(names, endingStates) || isUniversal(names) ||
		slices.ContainsFunc(names, isDivided)
}

// isDivided reports whether a file is the state of the model that one process has in stage 3.
func isDivided(name string) bool {
	match := modelName().FindStringSubmatch(name)
	return match != nil && match[1] != ""
}

func hasEnding(names []string, ending string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, ending) })
}

// Open maps the files of a folder. Errors are *badfile.FormatError, *badfile.UnsupportedError, or of the file system.
func Open(dir string) (_ *File, err error) {
	names, err := files.Names(dir, maxNames)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	f := &File{dir: dir, seen: map[string]bool{}, shards: map[string]*mmap.File{}, objects: map[string]chunk{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	open := f.openZero
	if isDistributed(names) {
		open = f.openDistributed
	}
	return f, mmap.Guard(func() error { return open(names) })
}

// distinct refuses files of processes of which one is a copy of another: its weights would take the place of others.
func distinct(files []mmap.Optional) error {
	for i, f := range files {
		for _, other := range files[:i] {
			if f.SameBytes(other) {
				return Copied(f.Paths()[0], other.Paths()[0])
			}
		}
	}
	return nil
}

// Copied is the error about the part of a model that has the weights of another part.
func Copied(path, other string) error {
	return &badfile.FormatError{File: path, Detail: fmt.Sprintf("has the same weights as %s; one of the two is a copy in the place of another part, copy both again", badfile.Quote(other))}
}

// Object returns what a distributed checkpoint has under a name that is not a tensor's; its zero value if there is nothing.
func (f *File) Object(name string) (torchbin.Object, error) {
	c, ok := f.objects[name]
	if !ok {
		return torchbin.Object{}, nil
	}
	t, err := f.chunkTree(name, c)
	if err != nil {
		return torchbin.Object{}, err
	}
	return t.Root(), nil
}

// Tensors returns the tensors of the model.
func (f *File) Tensors() []tensor.Tensor { return f.tensors }

// Paths returns the paths of the files.
func (f *File) Paths() (paths []string) {
	for _, m := range f.mapped {
		paths = append(paths, m.Paths()...)
	}
	return paths
}

// Changed reports whether a file was truncated, rewritten or replaced since Open.
func (f *File) Changed() error {
	for _, m := range f.mapped {
		if err := m.Changed(); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the mappings.
func (f *File) Close() error {
	var errs []error
	for _, m := range f.mapped {
		errs = append(errs, m.Close())
	}
	f.mapped = nil
	return errors.Join(errs...)
}

// Describe says what was found and what of it is used.
func (f *File) Describe() string {
	text := fmt.Sprintf("found a checkpoint that %s spread over %s; its tensors are joined as they are used", f.program, badfile.Count(len(f.mapped), "file"))
	if f.masters {
		text += ", from the float32 masters of the optimizer, which the weights in fewer bits were rounded from"
	}
	if f.left {
		text += "; states of the optimizer are left out"
	}
	return text
}

// add joins a tensor from parts of it.
func (f *File) add(t tensor.Tensor, grid []int, boxes []tensor.Box) error {
	t, err := tensor.Join(t, grid, boxes)
	if err != nil {
		return f.bad(t.Name, "%v; copy all files of the checkpoint again", err)
	}
	return f.append(t)
}

func (f *File) append(t tensor.Tensor) error {
	switch {
	case f.seen[t.Name]:
		return f.bad(t.Name, "is there twice")
	case !utf8.ValidString(t.Name):
		return f.bad(t.Name, "its name is not UTF-8")
	case len(f.tensors) == maxNames:
		return f.unsupported("", "has more than the %d tensors this program reads", maxNames)
	}
	f.seen[t.Name] = true
	f.tensors = append(f.tensors, t)
	return nil
}

// bad and unsupported make errors about a tensor, or about the whole without a name.
func (f *File) bad(name, format string, args ...any) error {
	return &badfile.FormatError{File: f.dir, Where: badfile.MaybeTensor(name), Detail: fmt.Sprintf(format, args...)}
}

func (f *File) unsupported(name, format string, args ...any) error {
	return &badfile.UnsupportedError{File: f.dir, Where: badfile.MaybeTensor(name), Detail: fmt.Sprintf(format, args...)}
}
