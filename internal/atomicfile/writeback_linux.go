package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback asks for what is written to be put on disk, without waiting for it. It is a wish: Sync reports failures.
func startWriteback(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}
