//go:build !unix || aix || solaris || illumos

package mmap

// advise does nothing: the platform takes no advice about mapped files.
func advise([]byte, Advice) {}
