package torchbin

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/tensor"
)

// Entry describes a tensor of a state dict.
type Entry struct {
	Name   string
	DType  tensor.DType
	Shape  []int
	Shares string // an earlier tensor of the same dtype and shape whose storage this one is, such as a tied embedding
}

// Writer writes the zip format, the bytes of each storage once, in order and in constant memory.
// What it writes is what torch.save of PyTorch 2.15 writes for an OrderedDict of contiguous tensors, up to torch's last
// record .data/serialization_id, which is not there.
type Writer struct {
	zip    zipWriter
	top    string
	bodies []Entry // with a storage of their own
	next   int     // of bodies
	err    error   // the first error
}

// NewWriter writes all that precedes the tensors' bytes to w. The bytes follow by Tensor, and Close ends the file.
// top is the archive's folder; torch takes the file's name without its extension. Any dtype but U16, U32 and U64 will
// do, which have no storage class.
func NewWriter(w io.Writer, top string, entries []Entry) (*Writer, error) {
	storages, err := plan(top, entries)
	if err != nil {
		return nil, err
	}
	tw := &Writer{zip: zipWriter{w: w}, top: top + "/"}
	for _, e := range entries {
		if e.Shares == "" {
			tw.bodies = append(tw.bodies, e)
		}
	}
	for _, r := range []struct {
		name    string
		content []byte
	}{
		{recordPickle, emitPickle(entries, storages)},
		{recordFormat, []byte("1")},
		{recordAlignment, []byte(strconv.Itoa(alignment))},
		{recordByteOrder, []byte("little")},
	} {
		if err := tw.zip.record(tw.top+r.name, r.content); err != nil {
			return nil, fmt.Errorf("write record %s: %w", r.name, err)
		}
	}
	return tw, nil
}

// plan checks the entries and returns the number of each one's storage.
func plan(top string, entries []Entry) ([]int, error) {
	if !fs.ValidPath(top) || top == "." || strings.ContainsAny(top, "/\\\x00") || !utf8.ValidString(top) || len(top) > maxGlobal {
		return nil, fmt.Errorf("torchbin: %s cannot be the name of the archive's folder", badfile.Quote(top))
	}
	storages := make([]int, len(entries))
	index := make(map[string]int, len(entries))
	next := 0
	for i, e := range entries {
		bad := func(format string, args ...any) ([]int, error) {
			return nil, fmt.Errorf("torchbin: tensor "+badfile.Quote(e.Name)+": "+format, args...)
		}
		if _, twice := index[e.Name]; twice {
			return bad("is there twice")
		}
		index[e.Name] = i
		if !utf8.ValidString(e.Name) {
			return bad("name is not UTF-8")
		}
		if !e.DType.Valid() || storageType(e.DType) == "" {
			return bad("dtype %s cannot be written", e.DType)
		}
		if _, ok := tensor.ByteCount(e.DType, e.Shape); !ok || len(e.Shape) > maxDims {
			return bad("shape %v cannot be written", e.Shape)
		}
		if e.Shares == "" {
			storages[i] = next
			next++
			continue
		}
		k, ok := index[e.Shares]
		if !ok || k == i || entries[k].DType != e.DType || !slices.Equal(entries[k].Shape, e.Shape) {
			return bad("cannot share the storage of %s, expected an earlier tensor of the same dtype and shape", badfile.Quote(e.Shares))
		}
		storages[i] = storages[k]
	}
	return storages, nil
}

// Size returns the size of the file that NewWriter, Tensor and Close write. Errors are those of NewWriter.
func Size(top string, entries []Entry) (int64, error) {
	w, err := NewWriter(io.Discard, top, entries)
	if err != nil {
		return 0, err
	}
	for i, e := range w.bodies {
		if err := w.begin(i); err != nil {
			return 0, err
		}
		w.zip.at += e.bytes()
		if err := w.zip.end(); err != nil {
			return 0, err
		}
	}
	w.next = len(w.bodies)
	err = w.Close()
	return w.zip.at, err
}

// bytes returns the size of the tensor; plan made sure that there is one.
func (e Entry) bytes() int64 {
	n, _ := tensor.ByteCount(e.DType, e.Shape)
	return int64(n)
}

// begin writes the header of a tensor's record.
func (w *Writer) begin(i int) error {
	return w.zip.begin(w.top+prefixStorage+strconv.Itoa(i), w.bodies[i].bytes())
}

// Tensor writes the tensor called name. Tensors come in the order of the entries; those that share a storage are left
// out. write hands the little-endian elements to emit, in order and in pieces of any size, and stops at emit's first
// error. After an error of Tensor nothing more can be written.
func (w *Writer) Tensor(name string, write func(emit func(piece []byte) error) error) error {
	if w.err == nil {
		w.err = w.tensor(name, write)
	}
	return w.err
}

func (w *Writer) tensor(name string, write func(emit func(piece []byte) error) error) error {
	if w.next == len(w.bodies) {
		return fmt.Errorf("torchbin: tensor %s: all tensors are written", badfile.Quote(name))
	}
	e := w.bodies[w.next]
	if e.Name != name {
		return fmt.Errorf("torchbin: tensor %s: expected tensor %s next", badfile.Quote(name), badfile.Quote(e.Name))
	}
	if err := w.begin(w.next); err != nil {
		return fmt.Errorf("write tensor %s: %w", badfile.Quote(name), err)
	}
	left := e.bytes()
	var failed error // of emit, whatever write makes of it
	err := write(func(piece []byte) error {
		if failed != nil {
			return failed
		}
		if left -= int64(len(piece)); left < 0 {
			failed = fmt.Errorf("torchbin: tensor %s: %d bytes more than the %d expected", badfile.Quote(name), -left, e.bytes())
		} else if _, err := w.zip.Write(piece); err != nil {
			failed = fmt.Errorf("write tensor %s: %w", badfile.Quote(name), err)
		}
		return failed
	})
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	if left != 0 {
		return fmt.Errorf("torchbin: tensor %s: %d bytes written, expected %d", badfile.Quote(name), e.bytes()-left, e.bytes())
	}
	if err := w.zip.end(); err != nil {
		return fmt.Errorf("write tensor %s: %w", badfile.Quote(name), err)
	}
	w.next++
	return nil
}

// Close ends the file, or returns the first error, or names the first tensor that was not written. It does not close the
// underlying file.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if w.next < len(w.bodies) {
		return fmt.Errorf("torchbin: tensor %s was not written", badfile.Quote(w.bodies[w.next].Name))
	}
	if err := w.zip.record(w.top+recordVersion, []byte("3\n")); err != nil {
		return fmt.Errorf("write record %s: %w", recordVersion, err)
	}
	if err := w.zip.close(); err != nil {
		return fmt.Errorf("write zip directory: %w", err)
	}
	return nil
}
