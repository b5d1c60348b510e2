//go:build unix && !linux && !darwin

package atomicfile

import "errors"

func renameNew(from, to string) error { return errors.ErrUnsupported }

func exchange(a, b string) error { return errors.ErrUnsupported }

func FreeSpace(dir string) (free uint64, ok bool) { return 0, false }
