// Package imatrix reads and writes llama.cpp's importance matrices: for every matrix of a model, the mean square of each of its
// input columns over a text. A quantizer spends its error where these are small.
//
// There are two forms. That of today is a GGUF file (tools/imatrix/imatrix.cpp of llama.cpp, 2025):
//
//	general.type          "imatrix"
//	imatrix.datasets      the texts, an array of strings
//	imatrix.chunk_count   pieces of the text
//	imatrix.chunk_size    tokens of each
//	NAME.in_sum2          F32 [matrices, columns], the sums of the squares of a tensor's inputs; matrices are experts, or 1
//	NAME.counts           F32 [matrices, 1], over how many tokens
//
// The older form (.dat) is, all in little-endian order:
//
//	int32   entries
//	entry   int32 length of the name, name, int32 calls, int32 values, float32 values: sums of mean squares over the calls
//	int32   calls of the last entry, int32 length of the name of the text, name; both may be missing
package imatrix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
)

// About says how a matrix was made.
type About struct {
	Datasets  []string // names of the texts
	Chunks    int      // pieces of them
	ChunkSize int      // tokens of each; 0 in the older form
}

// Matrix is an open file.
type Matrix struct {
	About
	path    string
	entries map[string]entry
	close   func() error
}

// entry is what a file has of one tensor: views of its bytes, all float32.
type entry struct {
	sums   []byte
	counts []byte // one for each matrix; nil in the older form
	calls  int32  // in that form
}

// Open maps the file at path, in either form. Its values are checked when they are asked for. Errors: those of mmap.Open and
// gguf.Parse, and a *badfile.FormatError for what is not an importance matrix.
func Open(path string) (*Matrix, error) {
	m := &Matrix{path: path, entries: map[string]entry{}}
	file, err := mmap.OpenParsed(path, m.read)
	if err != nil {
		return nil, err
	}
	m.close = file.Close
	return m, nil
}

// read reads a file in either form.
func (m *Matrix) read(data []byte) error {
	form := m.readLegacy
	if bytes.HasPrefix(data, []byte("GGUF")) {
		form = m.readGGUF
	}
	if err := form(data); err != nil {
		return err
	}
	if len(m.entries) == 0 {
		return m.bad("", "is empty: it holds no tensor's importance")
	}
	return nil
}

// Path returns the path given to Open.
func (m *Matrix) Path() string { return m.path }

// Len returns of how many tensors the file knows the importance.
func (m *Matrix) Len() int { return len(m.entries) }

// Close releases the file.
func (m *Matrix) Close() error { return m.close() }

func (m *Matrix) bad(name, detail string) error {
	return &badfile.FormatError{File: m.path, Where: badfile.MaybeTensor(name), Detail: detail}
}

// Importance returns the mean square of each input column of the tensor of that GGUF name, for one matrix of it after the other;
// nil if the file does not have the tensor. A matrix that the text never reached has 1 for all columns.
// The error is a *badfile.FormatError for a tensor of another size, and for values that are not mean squares.
func (m *Matrix) Importance(name string, cols, matrices int) (values []float32, err error) {
	e, ok := m.entries[name]
	if !ok {
		return nil, nil
	}
	if n := len(e.sums) / 4; n != cols*matrices {
		return nil, m.bad(name, fmt.Sprintf("has the importance of %d columns, expected %d: it was made for another model", n, cols*matrices))
	}
	err = mmap.Guard(func() error {
		values, err = m.means(name, e)
		return err
	})
	return values, err
}

// means divides the sums of an entry.
func (m *Matrix) means(name string, e entry) ([]float32, error) {
	values := make([]float32, len(e.sums)/4)
	if err := m.decode(values, name, e.sums); err != nil {
		return nil, err
	}
	if e.counts == nil {
		if e.calls > 0 {
			for i := range values {
				values[i] /= float32(e.calls)
			}
		}
		return values, nil
	}
	counts := make([]float32, len(e.counts)/4)
	if err := m.decode(counts, name, e.counts); err != nil {
		return nil, err
	}
	for i, part := range slices.Collect(slices.Chunk(values, len(values)/len(counts))) {
		count := float32(math.Round(float64(counts[i])))
		for j := range part {
			if count > 0 {
				part[j] /= count
			} else {
				part[j] = 1
			}
		}
	}
	return values, nil
}

// decode reads sums of squares or counts, which are finite and not negative.
func (m *Matrix) decode(dst []float32, name string, src []byte) error {
	for i := range dst {
		v := math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		if !(v >= 0) || math.IsInf(float64(v), 0) {
			return m.bad(name, fmt.Sprintf("value %d is %v, expected a finite sum of squares", i, v))
		}
		dst[i] = v
	}
	return nil
}
