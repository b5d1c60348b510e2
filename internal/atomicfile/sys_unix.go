//go:build unix

package atomicfile

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncFlags open a file for syncing; no right to write is needed.
const syncFlags = os.O_RDONLY

func renameOver(from, to string) error { return syscall.Rename(from, to) }

// alive reports whether a process of that id exists.
func alive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || err == unix.EPERM
}
