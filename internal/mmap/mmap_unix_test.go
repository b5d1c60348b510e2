//go:build unix

package mmap

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomamba/gomamba/internal/badfile"
	"golang.org/x/sys/unix"
)

// TestGuardTruncated touches pages that a truncation took away: the program must live and say so.
func TestGuardTruncated(t *testing.T) {
	for _, keep := range []int64{0, 1 << 16} {
		path := filepath.Join(t.TempDir(), "data")
		writeFile(t, path, bytes.Repeat([]byte{1}, 1<<18))
		other := filepath.Join(t.TempDir(), "other")
		writeFile(t, other, []byte("another mapping, to be told apart"))
		mustOpen(t, other)
		f := mustOpen(t, path)
		if err := os.Truncate(path, keep); err != nil {
			t.Fatal(err)
		}
		sum := 0
		err := Guard(func() error {
			for _, b := range f.Data() {
				sum += int(b)
			}
			return nil
		})
		var format *badfile.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), "truncated from 262144 to") || format.File != path {
			t.Errorf("kept %d: %v (sum %d)", keep, err, sum)
		}
		// The same through memmove, which is assembly.
		if err := Guard(func() error { _ = bytes.Clone(f.Data()); return nil }); err == nil {
			t.Errorf("kept %d: copying gave no error", keep)
		}
	}
}

// TestGuardRestored covers a file that is whole again by the time the fault is looked into.
func TestGuardRestored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	writeFile(t, path, bytes.Repeat([]byte{1}, 1<<16))
	f := mustOpen(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	err := Guard(func() error {
		defer func() {
			os.Truncate(path, 1<<16)
			os.Chtimes(path, time.Time{}, f.stat.ModTime())
		}()
		sink = f.Data()[5]
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "could not be read while in use") {
		t.Error(err)
	}
}

var sink byte

// TestGuardElsewhere checks that a fault outside any file stays a crash: it is a bug, not a bad file.
func TestGuardElsewhere(t *testing.T) {
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	defer func() {
		if recover() == nil {
			t.Error("the fault was swallowed")
		}
	}()
	err = Guard(func() error { sink = page[7]; return nil })
	t.Errorf("returned %v", err)
}

// TestOpenPipe checks that a pipe nobody writes to is refused at once instead of blocking.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := Open(path); done <- err }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "is a named pipe, expected a regular file") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("blocked")
	}
	if _, err := Open("/dev/null"); err == nil || !strings.Contains(err.Error(), "is a device") {
		t.Error(err)
	}
}

// TestGuardClosed reads where a file was mapped until a moment ago.
func TestGuardClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	writeFile(t, path, make([]byte, 1<<24)) // what is mapped next goes to the other end of the gap
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	data := f.Data()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	err = GuardClosed(func() error { sink = data[5]; return nil })
	if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}
