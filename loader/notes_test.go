package loader_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/layouttest"
	"github.com/gomamba/gomamba/loader"
)

// In every JSON file the last value of a key counts, as transformers has it; for config.json it is said.
func TestKeysGivenTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "twice")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(layouttest.Fixtures, "sharded"))); err != nil {
		t.Fatal(err)
	}
	for file, edit := range map[string][2]string{
		filenames.Config:     {`"layer_norm_epsilon"`, `"layer_norm_epsilon": 0.5, "layer_norm_epsilon"`},
		filenames.ModelIndex: {`"weight_map": {`, `"weight_map": {"backbone.embeddings.weight": "nosuch.safetensors",`},
	} {
		path := filepath.Join(dir, file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), edit[0], edit[1], 1)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ck, err := loader.Open(dir, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	problems := ck.Problems()
	if len(problems) != 1 || problems[0].Severity != loader.Warning || !strings.Contains(problems[0].Text, "layer_norm_epsilon: given twice; the last one counts") {
		t.Errorf("problems %v", problems)
	}
	if eps := ck.Config().Shared().LayerNormEpsilon; eps != 1e-5 {
		t.Errorf("layer_norm_epsilon is %v", eps)
	}
}
