package gguf

import (
	"fmt"
	"io"

	"github.com/gomamba/gomamba/internal/slots"
)

// Writer writes a GGUF file whose tensors arrive in any order and in pieces, with WriteAt or Stream and in constant
// memory. Its methods may be used from many goroutines.
type Writer struct {
	*slots.Writer
	w    io.WriterAt
	gaps []gap
}

// gap is the padding after a tensor.
type gap struct{ begin, end int64 }

// NewWriter writes everything up to the data section to w, as Layout has it. The data follows; Close adds the padding
// and checks that all of the data came.
func NewWriter(w io.WriterAt, kvs []KV, entries []Entry) (*Writer, error) {
	head, offsets, total, err := Layout(kvs, entries)
	if err != nil {
		return nil, err
	}
	gw := &Writer{Writer: slots.New("gguf", w), w: w}
	for i, e := range entries {
		size, _ := e.Type.ByteCount(e.Shape) // Layout made sure
		begin, next := offsets[e.Name], total
		if i+1 < len(entries) {
			next = offsets[entries[i+1].Name]
		}
		gw.Add(e.Name, begin, int64(size))
		gw.gaps = append(gw.gaps, gap{begin + int64(size), next})
	}
	if _, err := w.WriteAt(head, 0); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return gw, nil
}

// Close returns the first error of a write, or names the first tensor that is not wholly written, or else writes the
// padding after each tensor. It does not close the underlying file.
func (w *Writer) Close() error {
	if err := w.Writer.Close(); err != nil {
		return err
	}
	for _, g := range w.gaps {
		if g.begin == g.end {
			continue
		}
		if _, err := w.w.WriteAt(make([]byte, g.end-g.begin), g.begin); err != nil {
			return fmt.Errorf("write padding: %w", err)
		}
	}
	return nil
}
