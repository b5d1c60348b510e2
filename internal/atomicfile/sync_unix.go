//go:build unix

package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncer makes what was written durable. Its fields are fields only so that tests can take a file system that offers less.
type syncer struct {
	full  func(*os.File) error // through the drive's own cache, where the system can ask for that
	plain func(*os.File) error // what every file system has
}

var disk = syncer{
	full:  (*os.File).Sync,
	plain: func(f *os.File) error { return unix.Fsync(int(f.Fd())) },
}

// Sync makes the contents of f durable.
//
// On macOS os.File.Sync asks for F_FULLFSYNC, which only some file systems have: exFAT answers ENOTTY, those of
// macFUSE EINVAL. They get a plain fsync, as SQLite does it.
func Sync(f *os.File) error { return disk.file(f) }

func (s syncer) file(f *os.File) error {
	err := s.full(f)
	if cannotSync(err) {
		err = s.plain(f)
	}
	return err
}

// directory makes the names in d durable, as far as its file system can.
func (s syncer) directory(d *os.File) error {
	err := s.file(d)
	if cannotSync(err) {
		return nil
	}
	return err
}

// cannotSync reports whether err says that the file system lacks an operation, and not that it failed.
func cannotSync(err error) bool {
	for _, lacks := range []error{unix.ENOTTY, unix.EINVAL, unix.ENOTSUP, unix.EOPNOTSUPP} {
		if errors.Is(err, lacks) {
			return true
		}
	}
	return false
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(disk.directory(d), d.Close())
}
