package loader_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/loader"
)

// The ends of a text are those of transformers' generation config, 5.24: what is expected is what it has for these files.
func TestStopTokens(t *testing.T) {
	for _, test := range []struct {
		name, config, generation string // eos_token_id of config.json, and the other file
		want                     []int64
		fails                    string
	}{
		{"generation_config.json wins", `49`, `{"eos_token_id": 0}`, []int64{0}, ""},
		{"a list", `49`, `{"eos_token_id": [5, 0, 5]}`, []int64{0, 5}, ""},
		{"none named", `49`, `{}`, nil, ""},
		{"null", `49`, `{"eos_token_id": null}`, nil, ""},
		{"an empty list", `49`, `{"eos_token_id": []}`, nil, ""},
		{"a number with a point", `49`, `{"eos_token_id": 7.0}`, []int64{7}, ""},
		{"no file", `49`, "", []int64{49}, ""},
		{"no file, a list", `[49, 3]`, "", []int64{3, 49}, ""},
		{"no file, null", `null`, "", nil, ""},
		{"no file, no key", "", "", nil, ""},
		{"a file that is not JSON", `49`, `{"eos_token_id": 0,}`, []int64{49}, "generation_config.json"},
		{"no id", `49`, `{"eos_token_id": "x"}`, []int64{49}, `eos_token_id: found the string "x"`},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../fixtures/mamba1/default")); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "config.json")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(data)) {
			if !strings.Contains(line, "eos_token_id") {
				lines = append(lines, line)
			} else if test.config != "" {
				lines = append(lines, `"eos_token_id": `+test.config+",\n")
			}
		}
		write(t, path, strings.Join(lines, ""))
		if err := os.Remove(filepath.Join(dir, filenames.Generation)); err != nil {
			t.Fatal(err)
		}
		if test.generation != "" {
			write(t, filepath.Join(dir, filenames.Generation), test.generation)
		}
		ck, err := loader.Open(dir, loader.Options{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got, err := ck.StopTokens()
		if !slices.Equal(got, test.want) || (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v, error %v, want %v", test.name, got, err, test.want)
		}
		if err := ck.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
