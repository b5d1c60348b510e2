package gguf

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/gguf"
)

// TestModelIDs parses names as gguf-py does (fixtures/modelids.py).
func TestModelIDs(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "modelids.json"))
	if err != nil {
		t.Fatal(err)
	}
	var records [][9]any
	if err := json.Unmarshal(data, &records); err != nil || len(records) < 70 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records {
		m := parseModelID(r[0].(string), int(r[1].(float64)))
		got := []any{m.name, m.owner, m.basename, m.finetune, m.version, m.sizeTag, title(m.name)}
		if !slices.Equal(got, r[2:]) {
			t.Errorf("%v with %v parameters:\n%q, gguf-py has\n%q", r[0], r[1], got, r[2:])
		}
	}
}

// TestModelCard reads front matter as it is met, and what is none.
func TestModelCard(t *testing.T) {
	read := func(text string) (modelCard, error) {
		path := filepath.Join(t.TempDir(), "README.md")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return readModelCard(path)
	}
	card, err := read("---\r\nlicense: apache-2.0\r\nlanguage:\r\n- en\r\n- no\r\ntags: mamba\r\nversion: 1.0\r\nempty:\r\n" +
		"base_model: [state-spaces/mamba-130m-hf, https://huggingface.co/a/b-v2]\r\n---\r\nlicense: mit\r\n")
	if err != nil {
		t.Fatal(err)
	}
	d := &description{text: make(map[string]string)}
	d.takeCard(card, 130_000_000)
	var lines []string
	for _, kv := range d.keys() {
		text, err := kv.Value.Str()
		if err != nil {
			text = "..."
		}
		lines = append(lines, strings.TrimPrefix(kv.Key, "general.")+"="+text)
	}
	const want = "type=model version=1.0 license=apache-2.0 base_model.count=... base_model.0.name=Mamba 130m Hf " +
		"base_model.0.organization=State Spaces base_model.0.repo_url=https://huggingface.co/state-spaces/mamba-130m-hf " +
		"base_model.1.name=B v2 base_model.1.version=v2 base_model.1.organization=A base_model.1.repo_url=https://huggingface.co/a/b-v2 " +
		"tags=... languages=..."
	if got := strings.Join(lines, " "); got != want {
		t.Errorf("keys\n%s, want\n%s", got, want)
	}
	if !slices.Equal(d.languages, []string{"en", "no"}) || !slices.Equal(d.tags, []string{"mamba"}) {
		t.Errorf("languages %q, tags %q", d.languages, d.tags)
	}
	for _, text := range []string{"", "# Title\nlicense: mit\n", "---", "---\n---\n"} {
		if card, err := read(text); err != nil || len(card) > 0 {
			t.Errorf("%q: %v, %v", text, card, err)
		}
	}
	for _, text := range []string{"---\na: [\n---\n", "---\n- list\n---\n", "---\na: &x [*x]\nb: *y\n---\n"} {
		if card, err := read(text); err == nil {
			t.Errorf("%q: read as %v", text, card)
		}
	}
}

// TestHubFolder: a snapshot in the hub's cache has the name of its repository, not that of its commit.
func TestHubFolder(t *testing.T) {
	const dir = "/home/x/.cache/huggingface/hub/models--state-spaces--mamba-130m-hf/snapshots/0123abc"
	if got := folderID(filepath.FromSlash(dir)); got != "state-spaces/mamba-130m-hf" {
		t.Errorf("got %s", got)
	}
}

func TestDescriptionOfAGGUF(t *testing.T) {
	kvs := []gguf.KV{{Key: "general.architecture"}, {Key: "general.type"}, {Key: "general.name"}, {Key: "mamba.block_count"},
		{Key: "general.size_label"}, {Key: "general.license"}, {Key: "general.file_type"}, {Key: "general.tags"}}
	var got []string
	for _, kv := range sourceDescription(kvs) {
		got = append(got, kv.Key)
	}
	if !slices.Equal(got, []string{"general.type", "general.name", "general.size_label", "general.license", "general.tags"}) {
		t.Errorf("kept %q", got)
	}
}
