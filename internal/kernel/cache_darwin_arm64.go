//go:build !purego

package kernel

import "golang.org/x/sys/unix"

// secondLevelCache returns the bytes that a fast core has of it, or 0 if the system does not say.
func secondLevelCache() int {
	size, err := unix.SysctlUint32("hw.perflevel0.l2cachesize")
	if err != nil {
		return 0
	}
	cores, err := unix.SysctlUint32("hw.perflevel0.cpusperl2")
	if err != nil || cores == 0 {
		return 0
	}
	return int(size / cores)
}
