//go:build (!unix && !windows) || aix || solaris || illumos

package mmap

// readAhead does nothing: the platform takes no advice about mapped files.
func readAhead([]byte) {}
