package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/impostor"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/tensor"
	"github.com/nlpodyssey/safetensors"
)

// File is a parsed safetensors file. Its tensors are views of the file's bytes.
type File struct {
	mmap.Optional // none if it was parsed from memory

	tensors  []tensor.Tensor
	index    map[string]int // into tensors
	metadata map[string]string
}

// Open maps the file at path and parses its header; tensor data is not read, so the cost is that of the header.
// Errors: *badfile.FormatError for a bad file, *badfile.UnsupportedError for a good one with a dtype, size or
// number of dimensions that cannot be used, or a wrapped I/O error.
func Open(path string) (*File, error) {
	f, _, err := open(path, false)
	return f, err
}

// OpenLenient opens a file whose tensors are right, whatever else is wrong with it: bytes between or after them, metadata
// that is not text. It returns what it has passed over, each as the error that Open gives.
func OpenLenient(path string) (*File, []error, error) { return open(path, true) }

func open(path string, lenient bool) (_ *File, passed []error, _ error) {
	var f *File
	m, err := mmap.OpenParsed(path, func(data []byte) (err error) {
		f, passed, err = parse(path, data, lenient)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	f.Optional = mmap.Mapped(m)
	return f, passed, nil
}

// Parse parses a whole file held in data, which the tensors then refer to. name stands for the file in errors,
// which are those of Open.
func Parse(name string, data []byte) (*File, error) {
	f, _, err := parse(name, data, false)
	return f, err
}

func parse(name string, data []byte, lenient bool) (_ *File, passed []error, _ error) {
	headerSize, err := checkLength(name, data)
	if err != nil {
		return nil, nil, err
	}
	body := data[lengthSize+headerSize:]
	h, err := scanHeader(name, data[lengthSize:lengthSize+headerSize], lenient)
	if err != nil {
		return nil, nil, err
	}
	unused, err := checkCover(name, h.extents, headerSize, len(data))
	if passed = h.passed; unused != nil {
		passed = append(passed, unused)
	}
	if unused != nil && !lenient {
		err = unused
	}
	if err != nil {
		return nil, nil, err
	}
	// The library compares keys without regard to case, so it may confuse extra keys. It lacks the dtypes
	// that nothing computes with.
	if !h.extra && !h.foreign && len(passed) == 0 {
		if err := confirm(name, data, h.extents); err != nil {
			return nil, nil, err
		}
	}
	f := &File{
		tensors:  make([]tensor.Tensor, len(h.extents)),
		index:    make(map[string]int, len(h.extents)),
		metadata: h.metadata,
	}
	for i, e := range h.extents {
		f.index[e.name] = i
		f.tensors[i] = tensor.Tensor{Name: e.name, DType: e.dtype, Shape: e.shape, File: name,
			Data: body[e.begin:e.end:e.end]}
	}
	return f, passed, nil
}

// Is reports whether data begins as a safetensors file does: with the length of a header that fits into it, and a brace.
func Is(data []byte) bool {
	return len(data) > lengthSize && data[lengthSize] == '{' && binary.LittleEndian.Uint64(data) <= uint64(len(data)-lengthSize)
}

// confirm has the library parse the header as well: a file on which two parsers differ is not one to guess about.
func confirm(name string, data []byte, extents []extent) error {
	_, meta, err := safetensors.ReadMetadata(data)
	if err != nil {
		return &badfile.FormatError{File: name, Where: "header", Detail: badfile.Quote(err.Error())}
	}
	parsed := meta.Tensors()
	for _, e := range extents {
		if p := parsed[e.name]; p == nil || p.DType.String() != e.dtype.String() || p.DataOffsets != [2]uint64{e.begin, e.end} {
			return &badfile.FormatError{File: name, Where: "tensor " + badfile.Quote(e.name), Detail: "ambiguous header entry"}
		}
	}
	return nil
}

// checkLength returns the header's size, or says what the file is if it is not safetensors.
func checkLength(name string, data []byte) (int, error) {
	bad := func(format string, args ...any) (int, error) {
		return 0, &badfile.FormatError{File: name, Detail: fmt.Sprintf(format, args...)}
	}
	if begin := bytes.TrimLeft(data[min(len(data), lengthSize):], " \t\r\n"); len(begin) > 0 && begin[0] == '{' {
		n := binary.LittleEndian.Uint64(data)
		switch room := uint64(len(data) - lengthSize); {
		case n > referenceMaxHeader: // as likely not safetensors at all
		case n > room:
			return bad("truncated: the header alone takes %d bytes, file has %d; download it again", lengthSize+n, len(data))
		case n > maxHeader:
			return 0, &badfile.UnsupportedError{File: name, Where: "header",
				Detail: fmt.Sprintf("%d bytes, more than the %d this program reads", n, maxHeader)}
		default:
			return int(n), nil
		}
	}
	if what := impostor.Identify(data, "safetensors"); what != "" {
		return bad("%s", what)
	}
	if len(data) < lengthSize {
		return bad("has %s, too few for a safetensors file; download it again", badfile.Count(len(data), "byte"))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > referenceMaxHeader {
		return bad("is not safetensors: it would have a header of %d bytes, and the format allows %d", n, referenceMaxHeader)
	}
	if len(data) == lengthSize {
		return bad("truncated: the header alone takes %d bytes, file has %d; download it again", lengthSize+n, len(data))
	}
	return bad("is not safetensors: the header begins with byte %#02x, expected {", data[lengthSize])
}

// checkCover checks that the tensors, ordered by offset, cover the data section without hole or overlap. Bytes that belong to
// no tensor are the error unused: the tensors are whole all the same.
func checkCover(name string, extents []extent, headerSize, fileSize int) (unused, err error) {
	end := uint64(0)
	for i, e := range extents {
		where := "tensor " + badfile.Quote(e.name)
		switch {
		case e.begin < end:
			return unused, &badfile.FormatError{File: name, Where: where, Detail: fmt.Sprintf("its data begins at %d and overlaps that of %s, which ends at %d",
				e.begin, badfile.Quote(extents[i-1].name), end)}
		case e.begin > end && unused == nil:
			unused = &badfile.FormatError{File: name, Where: where, Detail: fmt.Sprintf("its data begins at %d and leaves a hole: expected %d", e.begin, end)}
		}
		end = e.end
	}
	have := uint64(fileSize - headerSize - lengthSize)
	// end may be anything up to 2^64-1, so the sizes of whole files are added up only once that is safe.
	switch {
	case end > have && end < 1<<63:
		return unused, &badfile.FormatError{File: name, Detail: fmt.Sprintf("truncated: header promises %d bytes, file has %d; download it again",
			uint64(lengthSize+headerSize)+end, fileSize)}
	case end > have:
		return unused, &badfile.FormatError{File: name, Detail: fmt.Sprintf("header promises %d bytes of data, more than any file holds", end)}
	case end < have && unused == nil:
		unused = &badfile.FormatError{File: name, Detail: fmt.Sprintf("header promises %d bytes, file has %d: %s after the last tensor",
			uint64(lengthSize+headerSize)+end, fileSize, badfile.Count(have-end, "byte"))}
	}
	return unused, nil
}

// Tensors returns all tensors in the order of their data in the file. The slice must not be changed.
func (f *File) Tensors() []tensor.Tensor { return f.tensors }

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (tensor.Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return tensor.Tensor{}, false
	}
	return f.tensors[i], true
}

// Metadata returns a copy of the header's __metadata__, nil when there is none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }
