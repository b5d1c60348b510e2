package hub_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/hub/hubtest"
	"github.com/gomamba/gomamba/internal/layouts"
)

// A model of a tag is fetched alone, and found again without the hub, whose other tags are known by then.
func TestLocateTag(t *testing.T) {
	h, c := start(t, tinyRepo())
	h.Set("some/gguf", &hubtest.Repo{Files: map[string][]byte{
		"m-Q4_K_M.gguf": []byte("a"), "m-Q6_K-00001-of-00002.gguf": []byte("b"), "m-Q6_K-00002-of-00002.gguf": []byte("c"), "config.json": []byte("{}"),
	}})
	locate := func(arg string) string {
		t.Helper()
		ref, ok := hub.ParseRef(arg)
		if !ok {
			t.Fatalf("%s is no reference", arg)
		}
		path, err := c.Locate(t.Context(), ref, layouts.Files, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := locate("some/gguf:q6_k")
	if filepath.Base(path) != "m-Q6_K-00001-of-00002.gguf" {
		t.Errorf("found %s", path)
	}
	c.Offline = true
	if again := locate("some/gguf@main:Q6_K"); again != path {
		t.Errorf("offline %s, before %s", again, path)
	}
	if got := strings.Join(c.Tags("some/gguf"), " "); got != "Q4_K_M Q6_K" {
		t.Errorf("tags %s", got)
	}
}
