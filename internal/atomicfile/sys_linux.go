package atomicfile

import (
	"errors"

	"golang.org/x/sys/unix"
)

func renameNew(from, to string) error { return rename2(from, to, unix.RENAME_NOREPLACE) }

func exchange(a, b string) error { return rename2(a, b, unix.RENAME_EXCHANGE) }

func rename2(from, to string, flags uint) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags)
	switch err {
	case unix.ENOSYS, unix.EINVAL, unix.EOPNOTSUPP: // an old kernel, or a file system without these flags
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
	return st.Bavail * uint64(st.Frsize), true
}
