package dump

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/tensor"
)

// Dump is an open dump. Values stay in the mapped file until they are asked for; input ids and mask are in memory.
type Dump struct {
	file    *safetensors.File
	path    string
	parts   []part
	unknown []string
	dims    *dims
	ids     []int64
	mask    []int64
}

// maxTokens bounds the token ids of a file, which are read into memory.
const maxTokens = 1 << 24

// Read opens the dump at path and checks that its tensors agree with one another in batch, tokens and sizes, that the
// mask holds 0 and 1, and that there is anything a dump can hold. Tensors of other names are left alone.
// Errors: *badfile.FormatError, *badfile.UnsupportedError, or a wrapped I/O error.
//
// A stream, of which stream.Is is true, is read into memory whole, at most maxStream bytes.
func Read(path string) (_ *Dump, err error) {
	if stream.Is(path) {
		data, err := stream.ReadFile(path, maxStream)
		if err != nil {
			return nil, err
		}
		return Parse(path, data)
	}
	file, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	return read(path, file)
}

// maxStream bounds a dump that is read into memory.
const maxStream int64 = 4 << 30

// Parse is Read for a dump that is in memory; name stands for the file in errors.
func Parse(name string, data []byte) (*Dump, error) {
	file, err := safetensors.Parse(name, data)
	if err != nil {
		return nil, err
	}
	return read(name, file)
}

func read(path string, file *safetensors.File) (*Dump, error) {
	d := &Dump{file: file, path: path}
	var entries []safetensors.Entry
	for _, t := range file.Tensors() {
		entries = append(entries, safetensors.Entry{Name: t.Name, DType: t.DType, Shape: t.Shape})
	}
	var err error
	if d.parts, d.unknown, d.dims, err = check(path, entries); err != nil {
		return nil, err
	}
	if len(d.parts) == 0 {
		detail := "found no tensors"
		if n := len(d.unknown); n > 0 {
			detail = fmt.Sprintf("found %s as the first of %d tensors", badfile.Quote(d.unknown[0]), n)
		}
		return nil, &badfile.FormatError{File: path, Detail: detail +
			", but none of input_ids, logits, hidden_states.{i} and cache.*.{l}, which a dump is made of"}
	}
	for _, name := range []string{InputIDs, AttentionMask, SeenIDs, SeenAges, RandomState} {
		if t, ok := file.Tensor(name); ok && t.Elems() > maxTokens {
			return nil, &badfile.UnsupportedError{File: path, Where: "tensor " + badfile.Quote(name),
				Detail: fmt.Sprintf("has %d elements, more than the %d this program reads at once; cut it, and go on from the cache", t.Elems(), maxTokens)}
		}
	}
	err = mmap.Guard(func() (err error) {
		if d.ids, err = d.readIDs(); err == nil {
			d.mask, err = d.readMask()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// readIDs returns the token ids, nil if there are none.
func (d *Dump) readIDs() ([]int64, error) {
	t, ok := d.file.Tensor(InputIDs)
	if !ok {
		return nil, nil
	}
	ids, ok := tensor.Int64s(t) // of integers, as check made sure
	if !ok {
		return nil, &badfile.FormatError{File: d.path, Where: "tensor " + badfile.Quote(InputIDs),
			Detail: fmt.Sprintf("found an id above %d", int64(math.MaxInt64))}
	}
	return ids, nil
}

// readMask returns the mask, which may be of any dtype but holds 0 and 1 alone; nil if there is none.
func (d *Dump) readMask() ([]int64, error) {
	t, ok := d.file.Tensor(AttentionMask)
	if !ok {
		return nil, nil
	}
	bad := func(i int, v any) error {
		return &badfile.FormatError{File: d.path, Where: "tensor " + badfile.Quote(AttentionMask),
			Detail: fmt.Sprintf("found %v at [%d, %d], expected 0 for padding or 1 for a token", v, i/d.Tokens(), i%d.Tokens())}
	}
	if t.DType == tensor.Bool {
		t.DType = tensor.U8 // a byte each
	}
	mask := make([]int64, t.Elems())
	if t.DType.Float() {
		for i, v := range tensor.Float64s(t) {
			if v != 0 && v != 1 {
				return nil, bad(i, v)
			}
			mask[i] = int64(v)
		}
		return mask, nil
	}
	ints, ok := tensor.Int64s(t)
	if !ok {
		return nil, &badfile.FormatError{File: d.path, Where: "tensor " + badfile.Quote(AttentionMask),
			Detail: fmt.Sprintf("found a value above %d, expected 0 for padding or 1 for a token", int64(math.MaxInt64))}
	}
	for i, v := range ints {
		if v != 0 && v != 1 {
			return nil, bad(i, v)
		}
	}
	return ints, nil
}

// Integers returns a copy of what generation goes on from: SeenIDs, SeenAges or RandomState [B, width], row by row; nil if
// the file does not have it.
func (d *Dump) Integers(name string) (v []int64, width int, err error) {
	t, ok := d.file.Tensor(name)
	if !ok {
		return nil, 0, nil
	}
	err = mmap.Guard(func() error {
		v, _ = tensor.Int64s(t) // of I64, as check made sure: always ok
		return nil
	})
	return v, t.Shape[1], err
}

// Path returns the path given to Read.
func (d *Dump) Path() string { return d.path }

// Metadata returns a copy of the file's metadata, nil when there is none.
func (d *Dump) Metadata() map[string]string { return d.file.Metadata() }

// Batch returns the number of sequences B.
func (d *Dump) Batch() int { return d.dims.size[axisBatch] }

// Tokens returns the number of positions T of each sequence. It is 0 when no tensor of the file has that dimension, as
// in a cache.
func (d *Dump) Tokens() int { return d.dims.size[axisTokens] }

// InputIDs returns the token ids [B, T], row by row; ok is false when the file has none. They may lie outside of any
// vocabulary.
func (d *Dump) InputIDs() (ids []int64, ok bool) { return d.ids, d.ids != nil }

// AttentionMask returns the mask [B, T], row by row, of 0 and 1; ok is false when the file has none.
func (d *Dump) AttentionMask() (mask []int64, ok bool) { return d.mask, d.mask != nil }

// Names returns the names of the tensors that have a meaning in a dump, in the order in which a network computes them:
// inputs; for each block its conv state, SSM state and hidden states; logits. What generation or a parallel scan continues
// from is not among them.
func (d *Dump) Names() (names []string) {
	for _, p := range d.parts {
		if p.kind != kindGeneration && p.kind != kindScan {
			names = append(names, p.Name)
		}
	}
	return names
}

// Unknown returns the names of all other tensors, sorted.
func (d *Dump) Unknown() []string { return d.unknown }

// Tensor returns the tensor of that name, a read-only view of the file.
func (d *Dump) Tensor(name string) (tensor.Tensor, bool) { return d.file.Tensor(name) }

// Has reports whether there is a tensor of that name.
func (d *Dump) Has(name string) bool {
	_, ok := d.file.Tensor(name)
	return ok
}

// Layers returns one more than the index of the last block of which the file has a state: 0 if it does not have any.
func (d *Dump) Layers() int {
	n := 0
	for _, p := range d.parts {
		if p.kind == kindState {
			n = max(n, p.index+1)
		}
	}
	return n
}

// Changed reports whether the file was truncated, rewritten or replaced since Read, and how.
func (d *Dump) Changed() error { return d.file.Changed() }

// Close releases the file. No tensor's data may be touched afterwards.
func (d *Dump) Close() error { return d.file.Close() }
