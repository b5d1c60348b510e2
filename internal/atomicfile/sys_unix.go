//go:build unix

package atomicfile

import (
	"cmp"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncFlags open a file for syncing; no right to write is needed.
const syncFlags = os.O_RDONLY

func renameOver(from, to string) error { return syscall.Rename(from, to) }

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil // a file system that does not sync directories
	}
	return cmp.Or(err, d.Close())
}

// alive reports whether a process of that id exists.
func alive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || err == unix.EPERM
}
