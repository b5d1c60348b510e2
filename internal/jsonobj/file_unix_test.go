//go:build unix

package jsonobj

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Opening a named pipe would block until somebody writes to it.
func TestReadFileNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path, 1<<20); err == nil || !strings.Contains(err.Error(), "found a named pipe") {
		t.Errorf("ReadFile of a named pipe: %v", err)
	}
}
