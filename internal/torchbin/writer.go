package torchbin

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/slots"
	"github.com/gomamba/gomamba/tensor"
)

// Entry describes a tensor of a state dict.
type Entry struct {
	Name   string
	DType  tensor.DType
	Shape  []int
	Shares string // an earlier tensor of the same dtype and shape whose storage this one is, such as a tied embedding
}

// Writer writes the zip format. Tensors arrive in any order and in pieces, the bytes of each storage once; its methods
// may be used from many goroutines.
// What it writes is what torch.save of PyTorch 2.15 writes for an OrderedDict of contiguous tensors, up to torch's last
// record .data/serialization_id, which is not there.
type Writer struct {
	*slots.Writer
	zip    zipWriter
	bodies []body
}

// body is a tensor with a storage of its own.
type body struct {
	name   string
	record *zipRecord
}

// NewWriter writes all but the tensors' bytes to w. The bytes follow with WriteAt in constant memory, but for those of
// tensors that share a storage, and Close ends the file. top is the archive's folder; torch takes the file's name without
// its extension. Any dtype but U16, U32 and U64 will do, which do not have a storage class.
func NewWriter(w io.WriterAt, top string, entries []Entry) (*Writer, error) {
	storages, err := plan(top, entries)
	if err != nil {
		return nil, err
	}
	tw := &Writer{zip: zipWriter{w: w}}
	for _, r := range []struct {
		name    string
		content []byte
	}{
		{recordPickle, emitPickle(entries, storages)},
		{recordFormat, []byte("1")},
		{recordAlignment, []byte(strconv.Itoa(alignment))},
		{recordByteOrder, []byte("little")},
	} {
		if err := tw.zip.record(top+"/"+r.name, r.content); err != nil {
			return nil, fmt.Errorf("write record %s: %w", r.name, err)
		}
	}
	tw.Writer = slots.New("torchbin", w)
	tw.KeepSums()
	for _, e := range entries {
		if e.Shares != "" {
			continue
		}
		r, err := tw.zip.add(top+"/"+prefixStorage+strconv.Itoa(len(tw.bodies)), e.bytes())
		if err != nil {
			return nil, fmt.Errorf("write tensor %s: %w", badfile.Quote(e.Name), err)
		}
		tw.bodies = append(tw.bodies, body{e.Name, r})
		tw.Add(e.Name, r.begin, r.size)
	}
	if err := tw.zip.record(top+"/"+recordVersion, []byte("3\n")); err != nil {
		return nil, fmt.Errorf("write record %s: %w", recordVersion, err)
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
		if !e.DType.Plain() || storageType(e.DType) == "" {
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

// Size returns the size of the file that NewWriter, WriteAt and Close write. Errors are those of NewWriter.
func Size(top string, entries []Entry) (int64, error) {
	w, err := NewWriter(nowhere{}, top, entries)
	if err != nil {
		return 0, err
	}
	err = w.zip.close()
	return w.zip.at, err
}

// nowhere takes everything and keeps nothing.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// bytes returns the size of the tensor; plan made sure that there is one.
func (e Entry) bytes() int64 {
	n, _ := tensor.ByteCount(e.DType, e.Shape)
	return int64(n)
}

// Close ends the file, or returns the first error of a write, or names the first tensor that is not wholly written.
// It does not close the underlying file.
func (w *Writer) Close() error {
	if err := w.Writer.Close(); err != nil {
		return err
	}
	for _, b := range w.bodies {
		b.record.crc = w.Sum(b.name)
	}
	if err := w.zip.close(); err != nil {
		return fmt.Errorf("write zip directory: %w", err)
	}
	return nil
}
