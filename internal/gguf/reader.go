package gguf

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
)

// File is a parsed GGUF file, or all parts of a split one. Its tensors and values are views of the files' bytes.
type File struct {
	name    string
	parts   []*mmap.File // none when parsed from memory
	version uint32
	kvs     []KV
	keys    map[string]int // into kvs
	tensors []Tensor
	index   map[string]int // into tensors
}

// Open maps the file at path and parses what stands before its data; tensor data is not read. When the file is a part
// of a split model, all parts are opened: their tensors become one list, and the keys are those of the first part.
// Errors: *badfile.FormatError for a bad file, *badfile.UnsupportedError for a good one of a version, byte order,
// tensor type or size that cannot be used, or a wrapped I/O error, also for a part that is missing.
func Open(path string) (*File, error) {
	f, err := openPart(path)
	if err != nil {
		return nil, err
	}
	split, err := f.split()
	if err == nil && split.count > 1 {
		return openSplit(f, split)
	}
	if err == nil {
		err = checkUnsplit(path)
	}
	if err != nil {
		f.Close() // nothing was written: the other error is the one that matters
		return nil, err
	}
	return f, nil
}

// openPart maps and parses one file.
func openPart(path string) (*File, error) {
	var f *File
	m, err := mmap.OpenParsed(path, func(data []byte) (err error) {
		f, err = parse(path, data)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.parts = []*mmap.File{m}
	return f, nil
}

// Parse parses a whole file held in data, to which the tensors and values then refer. name stands for the file in
// errors, which are those of Open; a part of a split model is refused.
func Parse(name string, data []byte) (*File, error) {
	f, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	split, err := f.split()
	if err != nil {
		return nil, err
	}
	if split.count > 1 {
		return nil, &badfile.UnsupportedError{File: name,
			Detail: fmt.Sprintf("is part %d of %d of a split model and can only be opened as a file beside the others", split.no+1, split.count)}
	}
	return f, nil
}

// parse parses one file, split or not.
func parse(name string, data []byte) (*File, error) {
	h, err := readHeader(name, data)
	if err != nil {
		return nil, err
	}
	f := &File{name: name, version: h.version, kvs: h.kvs, tensors: h.tensors,
		keys: make(map[string]int, len(h.kvs)), index: make(map[string]int, len(h.tensors))}
	for i, kv := range f.kvs {
		if _, dup := f.keys[kv.Key]; dup {
			return nil, &badfile.FormatError{File: name, Where: "key " + badfile.Quote(kv.Key), Detail: "appears twice"}
		}
		f.keys[kv.Key] = i
	}
	if err := f.addIndex(0); err != nil {
		return nil, err
	}
	// Sizes and offsets were checked to add up below 2^63, and each size to fit an int.
	begin, end := pad(h.end, h.alignment), h.end
	for i := range f.tensors {
		t := &f.tensors[i]
		size, _ := t.Type.ByteCount(t.Shape)
		if end = begin + uint64(size); end <= uint64(len(data)) {
			t.Data = data[begin:end:end]
		}
		begin = pad(end, h.alignment)
	}
	if end > uint64(len(data)) {
		return nil, &badfile.FormatError{File: name,
			Detail: fmt.Sprintf("truncated: tensors promise %d bytes, file has %d; download it again", end, len(data))}
	}
	return f, nil
}

// addIndex puts the tensors from number first on into the index.
func (f *File) addIndex(first int) error {
	for i := first; i < len(f.tensors); i++ {
		t := &f.tensors[i]
		if j, dup := f.index[t.Name]; dup {
			detail := "appears twice"
			if other := f.tensors[j].File; other != t.File {
				detail = "appears in " + badfile.Quote(other) + " too"
			}
			return &badfile.FormatError{File: t.File, Where: "tensor " + badfile.Quote(t.Name), Detail: detail}
		}
		f.index[t.Name] = i
	}
	return nil
}

// Version returns the version of the format, 2 or 3.
func (f *File) Version() int { return int(f.version) }

// Tensors returns all tensors in the order of their data. The slice must not be changed.
func (f *File) Tensors() []Tensor { return f.tensors }

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Paths returns the files that were opened, in the order of the parts; none after Parse.
func (f *File) Paths() []string {
	paths := make([]string, len(f.parts))
	for i, m := range f.parts {
		paths[i] = m.Path()
	}
	return paths
}

// ReadAhead asks the operating system to start reading the data, as mmap.File.ReadAhead.
func (f *File) ReadAhead() {
	for _, m := range f.parts {
		m.ReadAhead()
	}
}

// Changed reports whether a file was truncated, rewritten or replaced since Open, as mmap.File.Changed.
func (f *File) Changed() error {
	for _, m := range f.parts {
		if err := m.Changed(); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the mappings; tensors and values must not be used afterwards. It does nothing after Parse.
func (f *File) Close() error {
	var first error
	for _, m := range f.parts {
		if err := m.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
