package mmap

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomamba/gomamba/internal/badfile"
)

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{0, 1, 4096, 100_001} {
		want := bytes.Repeat([]byte("0123456789a"), size/11+1)[:size]
		path := filepath.Join(dir, "data")
		writeFile(t, path, want)
		f := mustOpen(t, path)
		if !bytes.Equal(f.Data(), want) || f.Size() != int64(size) || f.Path() != path {
			t.Errorf("%d bytes: got %d, size %d", size, len(f.Data()), f.Size())
		}
		f.ReadAhead()
		if err := f.Changed(); err != nil {
			t.Errorf("%d bytes: untouched file: %v", size, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if f.Close() == nil {
			t.Error("closing twice gave no error")
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	var format *badfile.FormatError
	if _, err := Open(dir); !errors.As(err, &format) || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("directory: %v", err)
	}
	missing := filepath.Join(dir, "absent")
	if _, err := Open(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing: %v", err)
	}
}

func TestChanged(t *testing.T) {
	old := bytes.Repeat([]byte("abcd"), 2500)
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string)
		want   string // empty: no change
	}{
		{"truncated", func(t *testing.T, path string) {
			if err := os.Truncate(path, 5000); err != nil {
				t.Fatal(err)
			}
		}, "truncated from 10000 to 5000 bytes while in use"},
		{"grown", func(t *testing.T, path string) {
			if err := os.Truncate(path, 10001); err != nil {
				t.Fatal(err)
			}
		}, "grew from 10000 to 10001 bytes"},
		{"rewritten", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte("X"), 77); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			// File systems keep coarse times: make the two distinct.
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}, "changed while in use"},
		{"replaced", func(t *testing.T, path string) {
			writeFile(t, path+".new", old)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}, "replaced by another file"},
		{"removed", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data")
			writeFile(t, path, old)
			f := mustOpen(t, path)
			c.change(t, path)
			err := f.Changed()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestGuardPassesOn(t *testing.T) {
	if err := Guard(func() error { return nil }); err != nil {
		t.Error(err)
	}
	sentinel := errors.New("x")
	if err := Guard(func() error { return sentinel }); err != sentinel {
		t.Errorf("error became %v", err)
	}
	for name, fn := range map[string]func() error{
		"panic":       func() error { panic(sentinel) },
		"bounds":      func() error { return []error{nil}[len(os.Args)+5] },
		"nil pointer": func() error { var f *File; return errors.New(f.path) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			err := Guard(fn)
			t.Errorf("returned %v", err)
		})
	}
}
