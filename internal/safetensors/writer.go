package safetensors

import (
	"fmt"
	"io"

	"github.com/gomamba/gomamba/internal/slots"
	"github.com/gomamba/gomamba/tensor"
)

// Writer writes a safetensors file whose tensors arrive in any order and in pieces, with WriteAt or Stream and in
// constant memory; Close checks that all of the data came. Its methods may be used from many goroutines.
type Writer struct{ *slots.Writer }

// NewWriter writes the header for entries to w, as Layout has it.
func NewWriter(w io.WriterAt, entries []Entry, metadata map[string]string) (*Writer, error) {
	header, offsets, _, err := Layout(entries, metadata)
	if err != nil {
		return nil, err
	}
	sw := &Writer{slots.New("safetensors", w)}
	for _, e := range dataOrder(entries) {
		size, _ := tensor.ByteCount(e.DType, e.Shape) // Layout made sure
		sw.Add(e.Name, offsets[e.Name], int64(size))
	}
	if _, err := w.WriteAt(header, 0); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return sw, nil
}
