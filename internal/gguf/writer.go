package gguf

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Writer writes a GGUF file whose tensors arrive in any order and in pieces.
// Its methods may be used from many goroutines.
type Writer struct {
	w     io.WriterAt
	order []string // names in file order
	total int64    // bytes of the whole file

	mu    sync.Mutex
	slots map[string]*slot
	err   error // the first failed write
}

// slot is the room of one tensor in the file.
type slot struct {
	offset, size int64
	done         []span // disjoint, ascending, never touching
}

// span is a range of bytes inside a tensor.
type span struct{ begin, end int64 }

// NewWriter writes everything up to the data section to w, as Layout has it. The data follows with WriteAt or Stream
// in constant memory; Close adds the padding and checks that all of the data came.
func NewWriter(w io.WriterAt, kvs []KV, entries []Entry) (*Writer, error) {
	head, offsets, total, err := Layout(kvs, entries)
	if err != nil {
		return nil, err
	}
	gw := &Writer{w: w, total: total, slots: make(map[string]*slot, len(entries))}
	for _, e := range entries {
		size, _ := e.Type.ByteCount(e.Shape) // Layout made sure
		gw.order = append(gw.order, e.Name)
		gw.slots[e.Name] = &slot{offset: offsets[e.Name], size: int64(size)}
	}
	if _, err := w.WriteAt(head, 0); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return gw, nil
}

// WriteAt writes data at a byte offset inside the tensor called name. Pieces may come in any order; each byte
// is written once. It fails when the tensor was not announced, the piece does not lie inside it, or overlaps
// an earlier one.
func (w *Writer) WriteAt(name string, byteOffset int64, data []byte) error {
	at, err := w.claim(name, byteOffset, int64(len(data)))
	if err == nil && len(data) > 0 {
		if _, err = w.w.WriteAt(data, at); err != nil {
			err = fmt.Errorf("write tensor %s: %w", badfile.Quote(name), err)
		}
	}
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err == nil {
			w.err = err
		}
	}
	return err
}

// claim marks a piece as written and returns its place in the file.
func (w *Writer) claim(name string, begin, size int64) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.slots[name]
	if !ok {
		return 0, fmt.Errorf("gguf: tensor %s was not announced", badfile.Quote(name))
	}
	if begin < 0 || begin > s.size || size > s.size-begin {
		return 0, fmt.Errorf("gguf: tensor %s: %d bytes at %d do not fit its %d bytes", badfile.Quote(name), size, begin, s.size)
	}
	if size > 0 && !s.add(span{begin, begin + size}) {
		return 0, fmt.Errorf("gguf: tensor %s: some of bytes %d to %d were written before", badfile.Quote(name), begin, begin+size)
	}
	return s.offset + begin, nil
}

// add records p, joining it with its neighbours, unless it overlaps what is there.
func (s *slot) add(p span) bool {
	i, _ := slices.BinarySearchFunc(s.done, p, func(a, b span) int { return cmp.Compare(a.begin, b.begin) })
	if i < len(s.done) && s.done[i].begin < p.end || i > 0 && s.done[i-1].end > p.begin {
		return false
	}
	from, to := i, i
	if i > 0 && s.done[i-1].end == p.begin {
		from, p.begin = i-1, s.done[i-1].begin
	}
	if i < len(s.done) && s.done[i].begin == p.end {
		to, p.end = i+1, s.done[i].end
	}
	s.done = slices.Replace(s.done, from, to, p)
	return true
}

// Stream returns an io.Writer that fills the tensor called name from its start, as WriteAt would.
func (w *Writer) Stream(name string) io.Writer { return &stream{w: w, name: name} }

type stream struct {
	w    *Writer
	name string
	next int64
}

func (s *stream) Write(p []byte) (int, error) {
	if err := s.w.WriteAt(s.name, s.next, p); err != nil {
		return 0, err
	}
	s.next += int64(len(p))
	return len(p), nil
}

// Close returns the first error of a write, or names the first tensor that is not wholly written, or else writes the
// padding after each tensor. It does not close the underlying file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	for _, name := range w.order {
		s := w.slots[name]
		if len(s.done) == 1 && s.done[0] == (span{0, s.size}) {
			continue
		}
		missing := int64(0)
		if len(s.done) > 0 && s.done[0].begin == 0 {
			missing = s.done[0].end
		}
		return fmt.Errorf("gguf: tensor %s: incomplete, byte %d of %d was never written", badfile.Quote(name), missing, s.size)
	}
	for i, name := range w.order {
		end := w.total
		if i+1 < len(w.order) {
			end = w.slots[w.order[i+1]].offset
		}
		s := w.slots[name]
		if room := end - s.offset - s.size; room > 0 {
			if _, err := w.w.WriteAt(make([]byte, room), s.offset+s.size); err != nil {
				return fmt.Errorf("write padding: %w", err)
			}
		}
	}
	return nil
}
