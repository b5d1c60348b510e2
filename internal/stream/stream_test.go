//go:build unix

package stream

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A pipe is read to its end, and not beyond the limit; a file that is neither pipe nor regular is refused unread.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path  string
		limit int64
		want  string // the content, or what the error says
	}{
		{pipe, 5, "12345"},
		{pipe, 4, "pipe: found more than 4 bytes"},
		{file, 5, "12345"},
		{file, 4, "file: found 5 bytes or more, expected at most 4"},
		{dir, 5, "found a folder"},
		{os.DevNull, 5, "found a device"},
		{filepath.Join(dir, "absent"), 5, "no such file"},
	} {
		if c.path == pipe {
			go func() { _ = os.WriteFile(pipe, []byte("12345"), 0o600) }() // a reader that goes away early is what is tested
		}
		data, err := ReadFile(c.path, c.limit)
		if got := string(data); err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %d: %q, %v; want %s", c.path, c.limit, got, err, c.want)
		}
	}
}
