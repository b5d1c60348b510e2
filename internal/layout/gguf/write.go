package gguf

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/layout/write"
)

// part is one file of a model and what goes into it.
type part struct {
	path    string
	kvs     []gguf.KV
	sources []write.Source
}

func (p *part) entries() []gguf.Entry {
	entries := make([]gguf.Entry, len(p.sources))
	for i, s := range p.sources {
		typ, _ := gguf.TypeOf(s.DType) // of a recipe that has a file type
		entries[i] = gguf.Entry{Name: s.Name, Type: typ, Shape: s.Shape}
	}
	return entries
}

// divide distributes the sources over files at dst. A tensor that would make the current file's tensors take more than
// limit begins a new one, as in GGUFWriter of gguf-py; no limit is 0.
func divide(dst string, kvs []gguf.KV, sources []write.Source, limit int64) ([]part, error) {
	parts := []part{{path: dst, kvs: kvs}}
	size := int64(0)
	for _, s := range sources {
		if size > 0 && limit > 0 && size+s.Bytes() > limit {
			parts, size = append(parts, part{}), 0
		}
		last := &parts[len(parts)-1]
		last.sources = append(last.sources, s)
		size += s.Bytes()
	}
	if len(parts) == 1 {
		return parts, nil
	}
	if err := write.CheckFiles(len(parts)); err != nil {
		return nil, err
	}
	for i := range parts {
		parts[i].path = gguf.PartPath(dst, i, len(parts))
		parts[i].kvs = append(parts[i].kvs[:len(parts[i].kvs):len(parts[i].kvs)], gguf.SplitKVs(i, len(parts), len(sources))...)
	}
	return parts, nil
}

// Files implements write.Target.
func (*target) Files(p *write.Plan, limit int64) (int, error) {
	parts, err := divide("", nil, p.Sources, limit)
	return len(parts), err
}

// Write streams the file, or its parts. The first part, by which the others are found, takes its place last. Parts of an older
// split into another number are at the destination as well: they are replaced with it.
func (g *target) Write(ctx context.Context, dst string, p *write.Plan, opts write.Options) (result string, err error) {
	kvs, err := g.keys(p)
	if err != nil {
		return "", err
	}
	parts, err := divide(dst, kvs, p.Sources, opts.MaxShardSize)
	if err != nil {
		return "", err
	}
	need := int64(0)
	for i := range parts {
		_, _, size, err := gguf.Layout(parts[i].kvs, parts[i].entries())
		if err != nil {
			return "", err
		}
		need += size
	}
	older := olderParts(dst, len(parts))
	for _, path := range older {
		if err := atomicfile.Check(path, atomicfile.Options{Replace: opts.Replaces(write.ReplaceableGGUF), Apart: opts.Inputs}); err != nil {
			return "", err
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
		if files[i], err = atomicfile.CreateFile(parts[i].path, atomicfile.Options{Replace: opts.Replaces(write.ReplaceableGGUF), Apart: opts.Inputs, Need: need}); err != nil {
			return "", err
		}
	}
	progress := write.NewProgress(ctx, p.Sources, opts)
	for i := range parts {
		if err := parts[i].write(files[i], progress); err != nil {
			return "", err
		}
	}
	if err := opts.Settled(); err != nil {
		return "", err
	}
	for i := len(files) - 1; i >= 0; i-- {
		if err := files[i].Commit(); err != nil {
			return "", errors.Join(err, discard(parts[i+1:], opts))
		}
	}
	for _, path := range older {
		err = errors.Join(err, os.Remove(path))
	}
	return parts[0].path, err
}

// olderParts lists what an older split has left at dst, when that is split into n parts.
func olderParts(dst string, n int) []string {
	if n == 1 {
		return nil // which has a name of its own
	}
	return gguf.OtherParts(dst, n)
}

// discard removes parts that took their place, unless there may have been others before.
func discard(parts []part, opts write.Options) (err error) {
	for _, p := range parts {
		if !opts.Force {
			err = errors.Join(err, os.Remove(p.path))
		}
	}
	return err
}

// write streams one file.
func (p *part) write(file *atomicfile.File, progress *write.Progress) error {
	w, err := gguf.NewWriter(file, p.kvs, p.entries())
	if err != nil {
		return err
	}
	return cmp.Or(write.Stream(w, p.sources, progress), w.Close())
}
