// Package slots fills the places that a file's header promises to its tensors, in any order and in pieces, and makes
// sure that every byte is written once and none is left out. It knows their checksums whatever the order.
package slots

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Writer writes tensors to their places. Its methods may be used from many goroutines once all slots are added.
type Writer struct {
	w      io.WriterAt
	format string   // for errors
	sums   bool     // are kept
	order  []string // names in the order they were added

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
type span struct {
	begin, end int64
	crc        uint32 // of these bytes, where checksums are kept
}

// New returns a writer without slots. format begins the errors that are the caller's fault.
func New(format string, w io.WriterAt) *Writer {
	return &Writer{w: w, format: format, slots: make(map[string]*slot)}
}

// KeepSums makes Sum return checksums. It is called before anything is written.
func (w *Writer) KeepSums() { w.sums = true }

// Add gives the tensor called name its place in the file. Names must differ.
func (w *Writer) Add(name string, offset, size int64) {
	w.order = append(w.order, name)
	w.slots[name] = &slot{offset: offset, size: size}
}

// WriteAt writes data at a byte offset inside the tensor called name. Pieces may come in any order; each byte
// is written once. It fails when the tensor was not announced, the piece does not lie inside it, or overlaps
// an earlier one.
func (w *Writer) WriteAt(name string, byteOffset int64, data []byte) error {
	piece := span{begin: byteOffset, end: byteOffset + int64(len(data))}
	if w.sums {
		piece.crc = crc32.ChecksumIEEE(data)
	}
	at, err := w.claim(name, piece)
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
func (w *Writer) claim(name string, p span) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	bad := func(format string, args ...any) (int64, error) {
		return 0, fmt.Errorf("%s: tensor %s: %s", w.format, badfile.Quote(name), fmt.Sprintf(format, args...))
	}
	s, ok := w.slots[name]
	switch {
	case !ok:
		return 0, fmt.Errorf("%s: tensor %s was not announced", w.format, badfile.Quote(name))
	case p.begin < 0 || p.begin > s.size || p.end-p.begin > s.size-p.begin:
		return bad("%d bytes at %d do not fit its %d bytes", p.end-p.begin, p.begin, s.size)
	case p.end > p.begin && !s.add(p):
		return bad("some of bytes %d to %d were written before", p.begin, p.end)
	}
	return s.offset + p.begin, nil
}

// add records p, joining it with its neighbours, unless it overlaps what is there.
func (s *slot) add(p span) bool {
	i, _ := slices.BinarySearchFunc(s.done, p, func(a, b span) int { return cmp.Compare(a.begin, b.begin) })
	if i < len(s.done) && s.done[i].begin < p.end || i > 0 && s.done[i-1].end > p.begin {
		return false
	}
	from, to := i, i
	if i > 0 && s.done[i-1].end == p.begin {
		from, p = i-1, join(s.done[i-1], p)
	}
	if i < len(s.done) && s.done[i].begin == p.end {
		to, p = i+1, join(p, s.done[i])
	}
	s.done = slices.Replace(s.done, from, to, p)
	return true
}

// join makes one span of two that touch.
func join(a, b span) span {
	s := span{begin: a.begin, end: b.end}
	if a.crc != 0 || b.crc != 0 {
		s.crc = combine(a.crc, b.crc, b.end-b.begin)
	}
	return s
}

// Sum returns the CRC-32 of a tensor that is wholly written.
func (w *Writer) Sum(name string) uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.slots[name]; s != nil && len(s.done) > 0 {
		return s.done[0].crc
	}
	return 0 // of no bytes
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

// Close returns the first error of a write, or names the first tensor that is not wholly written.
// It does not close the underlying file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	for _, name := range w.order {
		s := w.slots[name]
		if s.size == 0 || len(s.done) == 1 && s.done[0].begin == 0 && s.done[0].end == s.size {
			continue
		}
		missing := int64(0)
		if len(s.done) > 0 && s.done[0].begin == 0 {
			missing = s.done[0].end
		}
		return fmt.Errorf("%s: tensor %s: incomplete, byte %d of %d was never written", w.format, badfile.Quote(name), missing, s.size)
	}
	return nil
}
