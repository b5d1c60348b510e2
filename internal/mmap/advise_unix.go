//go:build unix && !aix && !solaris && !illumos

package mmap

import "golang.org/x/sys/unix"

func advise(data []byte, a Advice) {
	advice := 0
	switch a {
	case WillNeed:
		advice = unix.MADV_WILLNEED
	case Random:
		advice = unix.MADV_RANDOM
	case Sequential:
		advice = unix.MADV_SEQUENTIAL
	case HugePages:
		if advice = hugePages; advice < 0 {
			return
		}
	default:
		return
	}
	// Advice is a wish: a refusal changes nothing but speed.
	_ = unix.Madvise(data, advice)
}
