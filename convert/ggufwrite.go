package convert

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/tensor"
)

// ggufPart is one file of a model and what goes into it.
type ggufPart struct {
	path    string
	kvs     []gguf.KV
	sources []Source
}

func (p *ggufPart) entries() []gguf.Entry {
	entries := make([]gguf.Entry, len(p.sources))
	for i, s := range p.sources {
		typ, _ := gguf.TypeOf(s.DType) // of a recipe that has a file type
		entries[i] = gguf.Entry{Name: s.Name, Type: typ, Shape: s.Shape}
	}
	return entries
}

// ggufParts distributes the sources over files at dst. A tensor that would make the current file's tensors take more than
// limit begins a new one, as in GGUFWriter of gguf-py; no limit is 0.
func ggufParts(dst string, kvs []gguf.KV, sources []Source, limit int64) ([]ggufPart, error) {
	parts := []ggufPart{{path: dst, kvs: kvs}}
	size := int64(0)
	for _, s := range sources {
		if size > 0 && limit > 0 && size+s.bytes() > limit {
			parts, size = append(parts, ggufPart{}), 0
		}
		last := &parts[len(parts)-1]
		last.sources = append(last.sources, s)
		size += s.bytes()
	}
	if len(parts) == 1 {
		return parts, nil
	}
	if err := checkFiles(len(parts)); err != nil {
		return nil, err
	}
	for i := range parts {
		parts[i].path = gguf.PartPath(dst, i, len(parts))
		parts[i].kvs = append(parts[i].kvs[:len(parts[i].kvs):len(parts[i].kvs)], gguf.SplitKVs(i, len(parts), len(sources))...)
	}
	return parts, nil
}

func (ggufTarget) files(p *Plan, limit int64) (int, error) {
	parts, err := ggufParts("", nil, p.sources, limit)
	return len(parts), err
}

// write streams the file, or its parts. The first part, by which the others are found, takes its place last. Parts of an older
// split into another number are at the destination as well: they are replaced with it.
func (t ggufTarget) write(ctx context.Context, dst string, p *Plan, opts Options) (err error) {
	kvs, err := t.keys(p)
	if err != nil {
		return err
	}
	parts, err := ggufParts(dst, kvs, p.sources, opts.MaxShardSize)
	if err != nil {
		return err
	}
	p.result = parts[0].path
	need := int64(0)
	for i := range parts {
		_, _, size, err := gguf.Layout(parts[i].kvs, parts[i].entries())
		if err != nil {
			return err
		}
		need += size
	}
	older := olderParts(dst, len(parts))
	for _, path := range older {
		if err := atomicfile.Check(path, atomicfile.Options{Replace: opts.replaces(replaceableGGUF), Apart: opts.Inputs}); err != nil {
			return err
		}
	}
	files := make([]*atomicfile.File, len(parts))
	defer func() {
		for _, file := range files {
			if err != nil && file != nil {
				err = errors.Join(err, file.Abort())
			}
		}
	}()
	for i := range parts {
		if files[i], err = atomicfile.CreateFile(parts[i].path, atomicfile.Options{Replace: opts.replaces(replaceableGGUF), Apart: opts.Inputs, Need: need}); err != nil {
			return err
		}
	}
	progress := newProgress(ctx, p.sources, opts)
	for i := range parts {
		if err := parts[i].write(files[i], progress); err != nil {
			return err
		}
	}
	if err := opts.settled(); err != nil {
		return err
	}
	for i := len(files) - 1; i >= 0; i-- {
		if err := files[i].Commit(); err != nil {
			return errors.Join(err, discard(parts[i+1:], opts))
		}
	}
	for _, path := range older {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// olderParts lists what an older split has left at dst, when that is split into n parts.
func olderParts(dst string, n int) []string {
	if n == 1 {
		return nil // which has a name of its own
	}
	return gguf.OtherParts(dst, n)
}

// discard removes parts that took their place, unless there may have been others before.
func discard(parts []ggufPart, opts Options) (err error) {
	for _, p := range parts {
		if !opts.Force {
			err = errors.Join(err, os.Remove(p.path))
		}
	}
	return err
}

// write streams one file.
func (p *ggufPart) write(file *atomicfile.File, progress *progress) error {
	w, err := gguf.NewWriter(file, p.kvs, p.entries())
	if err != nil {
		return err
	}
	return cmp.Or(stream(w, p.sources, progress), w.Close())
}

func (ggufTarget) reopen(dst string) (stored, error) {
	f, err := gguf.Open(dst)
	if err != nil {
		return nil, err
	}
	return ggufStored{f}, nil
}

// ggufStored gives the weights of a GGUF file.
type ggufStored struct{ *gguf.File }

func (s ggufStored) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := s.File.Tensor(name)
	if !ok {
		return tensor.Tensor{}, false
	}
	w, err := t.Weight()
	return w, err == nil
}
