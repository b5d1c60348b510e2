//go:build unix && !aix && !solaris && !illumos

package mmap

import "golang.org/x/sys/unix"

// readAhead is a wish: a refusal changes nothing but speed.
func readAhead(data []byte) { _ = unix.Madvise(data, unix.MADV_WILLNEED) }
