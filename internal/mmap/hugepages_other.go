//go:build unix && !linux

package mmap

// hugePages is no advice here: the system decides by itself.
const hugePages = -1
