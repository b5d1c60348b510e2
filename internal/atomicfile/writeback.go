package atomicfile

import (
	"os"
	"sync/atomic"
)

// writebackStep is how much is written before the system is asked to put it on disk.
const writebackStep = 32 << 20

// Writeback keeps a disk busy while a large file is written, so that little is left for Sync. It may be used from many
// goroutines.
type Writeback struct{ waiting atomic.Int64 }

// Wrote counts bytes written to f.
func (w *Writeback) Wrote(f *os.File, n int) {
	if w.waiting.Add(int64(n)) >= writebackStep {
		w.waiting.Store(0)
		startWriteback(f)
	}
}
