package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/tensor"
)

// extent is what a header entry says about one tensor.
type extent struct {
	name       string
	dtype      tensor.DType
	shape      []int
	begin, end uint64 // of its data, counted from the end of the header
}

// header is what a header says.
type header struct {
	extents  []extent // ordered by their data
	metadata map[string]string
	extra    bool    // an entry has keys beyond those of the format
	foreign  bool    // an entry has a dtype that nothing computes with
	passed   []error // what a lenient reader has passed over
}

// scanHeader checks the header's text against the format. A lenient one leaves metadata out that is not text.
func scanHeader(file string, text []byte, lenient bool) (*header, error) {
	if err := checkText(file, text); err != nil {
		return nil, err
	}
	s := &scanner{file: file, text: text, where: "header", lenient: lenient}
	err := s.object(func(name string) error {
		defer func() { s.where = "header" }()
		if name == metadataKey {
			s.where = metadataKey
			return s.metadata()
		}
		s.where = "tensor " + badfile.Quote(name)
		e, err := s.entry(name)
		s.header.extents = append(s.header.extents, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(s.header.extents, func(a, b extent) int {
		// Several empty tensors may lie at one place.
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	return &s.header, nil
}

// checkText refuses a header that is not JSON, not UTF-8, or whose \u escapes spell half a surrogate pair:
// of the latter two readers would make different names.
func checkText(file string, header []byte) error {
	bad := func(at int, detail string) error {
		return &badfile.FormatError{File: file, Where: "header", Detail: fmt.Sprintf("%s at byte %d of the file", detail, lengthSize+at)}
	}
	if !utf8.Valid(header) {
		at := 0
		for at < len(header) {
			r, size := utf8.DecodeRune(header[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		return bad(at, "invalid UTF-8")
	}
	if !json.Valid(header) {
		at := 0
		err := json.Unmarshal(header, new(any)) // says where and why
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(syntax.Offset)
		}
		return bad(at, fmt.Sprintf("invalid JSON (%v)", err))
	}
	// A backslash occurs in strings only, so escapes can be found without knowing where strings begin.
	for at := 0; ; {
		next := bytes.IndexByte(header[at:], '\\')
		if next < 0 {
			return nil
		}
		at += next
		r, ok := escape(header[at:])
		switch {
		case !ok:
			at += 2 // a short escape
		case !utf16.IsSurrogate(r):
			at += 6
		default:
			low, ok := escape(header[at+6:])
			if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
				return bad(at, "half a surrogate pair")
			}
			at += 12
		}
	}
}

// escape decodes a \uXXXX at the start of b.
func escape(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	u, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(u), err == nil
}

// metadata takes the __metadata__ object, in whose place the reference implementation takes null.
func (s *scanner) metadata() error {
	if s.peek() == 'n' {
		s.word()
		return nil
	}
	s.header.metadata = make(map[string]string)
	if s.peek() != '{' {
		return s.passable(func() error { return s.bad("found %s, expected an object", s.describe()) })
	}
	return s.object(func(key string) error {
		return s.passable(func() (err error) {
			value, err := s.str(badfile.Quote(key))
			if err == nil {
				s.header.metadata[key] = value
			}
			return err
		})
	})
}

// maxPassed is how many errors a lenient reader notes.
const maxPassed = 8

// passable takes a value by take. If that fails, a lenient reader notes the error and passes over the value.
func (s *scanner) passable(take func() error) error {
	at := s.at
	err := take()
	if err == nil || !s.lenient {
		return err
	}
	if len(s.header.passed) < maxPassed {
		s.header.passed = append(s.header.passed, err)
	}
	s.at = at
	s.skip()
	return nil
}

// entry takes the description of the tensor called name and checks it in itself.
func (s *scanner) entry(name string) (extent, error) {
	if s.peek() != '{' {
		return extent{}, s.bad("found %s, expected an object", s.describe())
	}
	s.at++
	var dtype string
	var dims, offsets []uint64
	var hasDType, hasShape, hasOffsets bool
	var unknown map[string]bool
	for s.more('}') {
		var has *bool
		var err error
		key := s.key()
		switch key {
		case "dtype":
			has = &hasDType
			dtype, err = s.str(key)
		case "shape":
			has = &hasShape
			if dims, err = s.numbers(key, maxDims); len(dims) > maxDims {
				err = &badfile.UnsupportedError{File: s.file, Where: s.where,
					Detail: fmt.Sprintf("has more than %d dimensions", maxDims)}
			}
		case "data_offsets":
			has = &hasOffsets
			if offsets, err = s.numbers(key, 2); err == nil && len(offsets) != 2 {
				err = s.bad("data_offsets is not a pair of begin and end")
			}
		default: // taken as the reference implementation takes it
			if unknown[key] {
				return extent{}, s.bad("the key %s appears twice", badfile.Quote(key))
			}
			if unknown == nil {
				unknown = make(map[string]bool)
			}
			unknown[key], s.header.extra = true, true
			if err = s.count(); err == nil {
				s.skip()
				continue
			}
		}
		if err != nil {
			return extent{}, err
		}
		if *has {
			return extent{}, s.bad("the key %q appears twice", key)
		}
		*has = true
	}
	if !hasDType || !hasShape || !hasOffsets {
		return extent{}, s.bad("incomplete, expected dtype, shape and data_offsets")
	}
	return s.extent(name, dtype, dims, offsets)
}

// extent checks that dtype, shape and offsets of the tensor called name agree.
func (s *scanner) extent(name, dtype string, dims, offsets []uint64) (extent, error) {
	dt, ok := tensor.ParseDType(dtype)
	if !ok {
		return extent{}, s.bad("unknown dtype %s", badfile.Quote(dtype))
	}
	shape, err := s.shape(dims)
	if err != nil {
		return extent{}, err
	}
	size, ok := tensor.ByteCount(dt, shape)
	if !ok {
		if n, ok := tensor.Count(shape); ok {
			if block, _ := dt.Block(); n%block != 0 {
				return extent{}, s.bad("%s %v does not fill whole bytes", dt, shape)
			}
		}
		return extent{}, s.bad("shape %v is larger than any file", dims)
	}
	s.header.foreign = s.header.foreign || !dt.Plain()
	if offsets[1] < offsets[0] || offsets[1]-offsets[0] != uint64(size) {
		return extent{}, s.bad("data_offsets %v do not span the %s that %s %v takes", offsets, badfile.Count(size, "byte"), dt, shape)
	}
	return extent{name: name, dtype: dt, shape: shape, begin: offsets[0], end: offsets[1]}, nil
}

// shape checks that every dimension is an int.
func (s *scanner) shape(dims []uint64) ([]int, error) {
	shape := make([]int, len(dims))
	for i, d := range dims {
		if d > math.MaxInt {
			return nil, s.bad("shape %v is larger than any file", dims)
		}
		shape[i] = int(d)
	}
	return shape, nil
}
