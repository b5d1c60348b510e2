//go:build unix

package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFlags keep Open from blocking should the path turn into a pipe between the check and the opening.
const openFlags = os.O_RDONLY | unix.O_NONBLOCK

func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

func unmapFile(data []byte) error { return unix.Munmap(data) }
