package atomicfile

import (
	"errors"

	"golang.org/x/sys/unix"
)

func renameNew(from, to string) error { return renamex(from, to, unix.RENAME_EXCL) }

func exchange(a, b string) error { return renamex(a, b, unix.RENAME_SWAP) }

func renamex(from, to string, flags uint32) error {
	err := unix.RenamexNp(from, to, flags)
	switch err {
	case unix.ENOSYS, unix.EINVAL, unix.ENOTSUP: // a file system without these flags
		return errors.ErrUnsupported
	}
	return err
}

// FreeSpace returns the bytes that dir's file system has for this user; ok is false when it does not say.
func FreeSpace(dir string) (free uint64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
