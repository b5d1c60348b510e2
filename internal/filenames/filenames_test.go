package filenames

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"model.safetensors":                  "weights",
		"model-00001-of-00002.safetensors":   "weights",
		"pytorch_model.bin":                  "weights",
		"pytorch_model-00002-of-00002.bin":   "weights",
		"consolidated.safetensors":           "weights",
		"config.json":                        "beside",
		"model.safetensors.index.json":       "beside",
		"tokenizer.json":                     "beside",
		"README.md":                          "beside",
		".gitattributes":                     "beside",
		"model-1-of-2.safetensors":           "",
		"my-model.safetensors":               "",
		"reference.safetensors":              "",
		"adapter_model.safetensors":          "",
		"optimizer.bin":                      "",
		"package.json":                       "",
		".git":                               "",
		"mamba.gguf":                         "",
		"model.safetensors.index.json.orig":  "",
		"consolidated-00001-of-00001.00.bin": "",
	} {
		got := ""
		switch {
		case Weights(name):
			got = "weights"
		case Beside(name):
			got = "beside"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// The name of a folder may be a pattern that does not match itself, or matches another.
func TestIn(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"m[1]", "m1", "[", `back\slash`} {
		for _, name := range []string{"b.gguf", "a.gguf", "other"} {
			path := filepath.Join(root, dir, dir+name)
			if err := os.MkdirAll(path, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{filepath.Join(root, dir, dir+"a.gguf"), filepath.Join(root, dir, dir+"b.gguf")}
		if diff := cmp.Diff(want, In(filepath.Join(root, dir), "*.gguf")); diff != "" {
			t.Error(diff)
		}
	}
	if got := In(filepath.Join(root, "absent"), "*"); got != nil {
		t.Errorf("found %q in no folder", got)
	}
}
