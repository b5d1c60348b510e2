package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/jinja"
)

// Names of tokens, tokens that are added and chat templates are those that transformers finds in the files beside a
// tokenizer.json.
func TestBeside(t *testing.T) {
	vocabulary, err := os.ReadFile(filepath.Join(fixtures, "neox", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var data map[string]any
	if err := json.Unmarshal(vocabulary, &data); err != nil {
		t.Fatal(err)
	}
	data["added_tokens"] = append(data["added_tokens"].([]any), map[string]any{"id": 523, "content": "<x>", "special": false, "normalized": false})
	if vocabulary, err = json.Marshal(data); err != nil {
		t.Fatal(err)
	}
	for _, test := range readFixture[struct {
		Name, Text, Decoded string
		Files, Named        map[string]string
		IDs                 []int64
		Chat                *string
	}](t, "", "beside.json") {
		dir := t.TempDir()
		test.Files["tokenizer.json"] = string(vocabulary)
		for name, text := range test.Files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		tok, err := Open(dir)
		if err != nil {
			t.Fatalf("%s: %v", test.Name, err)
		}
		if got := tok.Encode(test.Text, true); !slices.Equal(got, test.IDs) {
			t.Errorf("%s: ids\n got %v\nwant %v", test.Name, got, test.IDs)
		}
		if got := tok.Decode(test.IDs, true); got != test.Decoded {
			t.Errorf("%s: text %q, want %q", test.Name, got, test.Decoded)
		}
		vars := jinja.Dict{{Key: "messages", Value: []any{jinja.Dict{{Key: "content", Value: "hello"}}}}}
		for _, n := range tok.Config().Named {
			if test.Named[n.Name] != n.Token {
				t.Errorf("%s: %s is %q, want %q", test.Name, n.Name, n.Token, test.Named[n.Name])
			}
			vars = append(vars, jinja.Item{Key: n.Name, Value: n.Token})
		}
		if test.Chat == nil {
			if tok.Config().ChatTemplate != "" {
				t.Errorf("%s: found a chat template", test.Name)
			}
			continue
		}
		template, err := jinja.Parse(tok.Config().ChatTemplate)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render(vars); err != nil || got != *test.Chat {
			t.Errorf("%s: conversation %q, error %v, want %q", test.Name, got, err, *test.Chat)
		}
	}
}
