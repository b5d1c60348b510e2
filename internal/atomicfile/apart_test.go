package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestApart(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"model/weights": "x", "model/sub/a": "x", "file": "x", "other/a": "x"})
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Link(in("file"), in("hard")))
	must(t, os.Mkdir(in("copies"), 0o777))
	must(t, os.Link(in("file"), in("copies/hard")))
	linked := os.Symlink("model", in("link")) == nil && os.Symlink("../file", in("other/soft")) == nil
	for _, c := range []struct {
		dst, src string
		want     string // empty: fine
		links    bool
	}{
		{dst: "out", src: "model"},
		{dst: "out", src: "file"},
		{dst: "other", src: "model"},
		{dst: "model2", src: "model"},
		{dst: "model/out.gguf", src: "model/weights"},
		{dst: "model", src: "model", want: "is the source"},
		{dst: "other/../model", src: "model", want: "is the source"},
		{dst: "file", src: "file", want: "is the source"},
		{dst: "hard", src: "file", want: "is the source"},
		{dst: "model/out", src: "model", want: "lies inside the source"},
		{dst: "model/sub/out", src: "model", want: "lies inside the source"},
		{dst: "model", src: "model/weights", want: "holds the source"},
		{dst: "model", src: "model/sub/a", want: "holds the source"},
		{dst: "copies", src: "file", want: "copies/hard: is the source"},
		{dst: "copies", src: "model/weights"},
		{dst: "none/out", src: "model", want: "none"},
		{dst: "out", src: "none", want: "none"},
		{dst: "link", src: "model", want: "is the source", links: true},
		{dst: "link/out", src: "model", want: "lies inside the source", links: true},
		{dst: "model", src: "link/sub", want: "holds the source", links: true},
		{dst: "other/soft", src: "file", want: "is the source", links: true},
		{dst: "other", src: "other/soft", want: "holds the source", links: true}, // its data is elsewhere, its name is not
	} {
		if c.links && !linked {
			continue
		}
		err := Apart(in(c.dst), in(c.src))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s from %s: got %v, want %q", c.dst, c.src, err, c.want)
		}
	}
	if err := Apart(in("hard"), in("model"), in("file")); err == nil {
		t.Error("only the first source is looked at")
	}
}
