package loader_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/loader"
)

// A checkpoint knows what it is read from: shards, index and what goes with them, and no dump that lies in its folder.
func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m[1]") // a name that as a pattern does not mean itself
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(layouttest.Fixtures, "sharded"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tokenizer.json", "README.md", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ck, err := loader.Open(dir, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	var want []string
	for _, name := range []string{
		"README.md", "config.json", "generation_config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
		"model-00003-of-00003.safetensors", "model.safetensors.index.json", "tokenizer.json",
	} {
		want = append(want, filepath.Join(dir, name))
	}
	if diff := cmp.Diff(want, ck.Files()); diff != "" {
		t.Error(diff)
	}
}
