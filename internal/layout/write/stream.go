package write

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/tensor"
)

const (
	// pieceElems is how many elements of a tensor are worked on at a time: whole blocks of every dtype, small enough for
	// the second-level cache and large enough for a write to cost little beside its bytes.
	pieceElems = 1 << 17
	// maxPiece bounds what is written at once, so that a long tensor shows progress and can be interrupted.
	maxPiece = 4 << 20
)

// TensorWriter is a file that tensors are written to by name, in pieces of any order.
type TensorWriter interface {
	WriteAt(name string, byteOffset int64, data []byte) error
}

// Stream writes the sources to w.
func Stream(w TensorWriter, sources []Source, p *Progress) error {
	return EachPiece(p.ctx, p.threads, sources, func(i int, at int64, piece []byte) error {
		if err := w.WriteAt(sources[i].Name, at, piece); err != nil {
			return err
		}
		p.Add(int64(len(piece)))
		return nil
	})
}

// EachPiece hands every source's bytes to use, on that many threads (0: all cores): piece lies at byte offset at of
// sources[i] and is valid until use returns. Pieces begin in order. The error is that of the first piece that has one;
// one of a source names its tensor.
func EachPiece(ctx context.Context, threads int, sources []Source, use func(i int, at int64, piece []byte) error) error {
	q := &queue{ctx: ctx, sources: sources, use: use, failedAt: -1}
	cores := runtime.GOMAXPROCS(0)
	if threads == 0 {
		threads = cores
	}
	threads = min(threads, 4*cores) // more would add memory and no speed
	var wait sync.WaitGroup
	for range threads {
		wait.Go(q.work)
	}
	wait.Wait()
	return cmp.Or(q.failed, ctx.Err())
}

// queue deals out pieces.
type queue struct {
	ctx     context.Context
	sources []Source
	use     func(i int, at int64, piece []byte) error

	mu       sync.Mutex
	source   int // of the next piece
	first    int // its first element
	dealt    int // pieces
	failed   error
	failedAt int // which piece, -1 for none
}

// job is a piece of a source, or all of one that can only be written from its beginning.
type job struct {
	number       int
	source       int
	first, elems int
}

// next deals out a piece, the lowest that is left. There is none after a failure.
func (q *queue) next() (j job, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.source < len(q.sources) && q.failed == nil && q.ctx.Err() == nil {
		s := q.sources[q.source]
		total, _ := tensor.Count(s.Shape) // of a tensor that has a size
		if q.first < total || total == 0 && q.first == 0 {
			j = job{number: q.dealt, source: q.source, first: q.first, elems: total - q.first}
			if s.Piece != nil {
				j.elems = min(j.elems, pieceElems)
			}
			q.dealt++
			q.first += max(j.elems, 1)
			return j, true
		}
		q.source, q.first = q.source+1, 0
	}
	return j, false
}

// work takes pieces until there are none.
func (q *queue) work() {
	s := new(Scratch)
	for {
		j, ok := q.next()
		if !ok {
			return
		}
		if err := q.do(s, j); err != nil {
			q.mu.Lock()
			if q.failedAt < 0 || j.number < q.failedAt {
				q.failed, q.failedAt = err, j.number
			}
			q.mu.Unlock()
		}
	}
}

// do makes a piece and hands it on.
func (q *queue) do(s *Scratch, j job) error {
	var failed, own error // of use; of the source
	source, at := q.sources[j.source], int64(0)
	use := func(piece []byte) error {
		for part := range slices.Chunk(piece, maxPiece) {
			if failed = cmp.Or(failed, q.ctx.Err()); failed == nil {
				failed = q.use(j.source, at, part)
			}
			if failed != nil {
				return failed
			}
			at += int64(len(part))
		}
		return nil
	}
	err := mmap.Guard(func() error {
		if source.Piece == nil {
			own = source.Write(use)
			return own
		}
		at = int64(source.DType.Bytes(j.first))
		var piece []byte
		if piece, own = source.Piece(s, j.first, j.first+j.elems); own != nil {
			return own
		}
		return use(piece)
	})
	switch {
	case failed != nil || err == nil:
		return failed
	case own != nil && source.File != "":
		return fmt.Errorf("%s: tensor %s: %w", source.File, badfile.Quote(source.From), own)
	default: // the file cut short, which its error names
		return fmt.Errorf("tensor %s: %w", badfile.Quote(source.Name), err)
	}
}

// Progress counts the bytes written.
type Progress struct {
	ctx     context.Context
	threads int
	report  func(done, total int64)

	mu          sync.Mutex
	done, total int64
}

// NewProgress begins to count the bytes of sources.
func NewProgress(ctx context.Context, sources []Source, opts Options) *Progress {
	p := &Progress{ctx: ctx, threads: opts.Threads, report: opts.Progress}
	for _, s := range sources {
		p.total += s.Bytes()
	}
	return p
}

// Add counts n bytes more.
func (p *Progress) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.report != nil {
		p.report(p.done, p.total)
	}
}
