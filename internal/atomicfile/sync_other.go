//go:build !unix

package atomicfile

import "os"

// Sync makes the contents of f durable.
func Sync(f *os.File) error { return f.Sync() }
