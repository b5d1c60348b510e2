package hub_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/hub/hubtest"
	"github.com/gomamba/gomamba/internal/layouts"
)

func TestParseAddress(t *testing.T) {
	c := &hub.Client{Endpoint: "https://me:secret@mirror.example/hf"}
	for arg, want := range map[string]hub.Ref{
		"https://huggingface.co/owner/name":                                   {Repo: "owner/name"},
		"HTTPS://HuggingFace.co/owner/name/":                                  {Repo: "owner/name"},
		"https://hf.co/owner/name/tree/main":                                  {Repo: "owner/name", Revision: "main"},
		"https://huggingface.co/owner/name/tree/v1.0/sub/dir":                 {Repo: "owner/name", Revision: "v1.0", Folder: "sub/dir"},
		"https://huggingface.co/owner/name/tree/refs%2Fpr%2F1":                {Repo: "owner/name", Revision: "refs/pr/1"},
		"https://huggingface.co/owner/name/blob/refs/pr/1/config.json":        {Repo: "owner/name", Revision: "refs/pr/1", File: "config.json"},
		"https://huggingface.co/owner/name/resolve/main/x.gguf?download=true": {Repo: "owner/name", Revision: "main", File: "x.gguf"},
		"https://mirror.example/hf/owner/name/raw/main/a%20b.json#L1":         {Repo: "owner/name", Revision: "main", File: "a b.json"},
	} {
		if got, err := c.ParseAddress(arg); got != want || err != nil {
			t.Errorf("%s: %+v, %v\nexpected %+v", arg, got, err, want)
		}
	}
	for arg, want := range map[string]string{
		"https://example.com/owner/name":                      `is on "example.com", which is not the hub`,
		"https://huggingface.co/datasets/owner/name":          "is one of the hub's datasets, not a model",
		"https://huggingface.co/owner":                        "names no model",
		"https://huggingface.co/owner/name/discussions/1":     "is a page of the hub that is not a model's",
		"https://huggingface.co/owner/name/resolve/main":      "is a page of the hub that is not a model's",
		"https://huggingface.co/owner/name/blob/main/..%2F..": "is a page of the hub that is not a model's",
		"https://other:secret@example.com/%zz":                "is not an address",
	} {
		if _, err := c.ParseAddress(arg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, expected %q", arg, err, want)
		}
	}
}

func TestLocateInside(t *testing.T) {
	repo := tinyRepo()
	for name, data := range map[string]string{
		"sub/config.json": "{}", "sub/model.safetensors": "s", "q-00001-of-00002.gguf": "1", "q-00002-of-00002.gguf": "2", "q.gguf": "q",
	} {
		repo.Files[name] = []byte(data)
	}
	for _, test := range []struct {
		ref    hub.Ref
		path   string
		needed []string
	}{
		{hub.Ref{Folder: "sub"}, "sub", []string{"sub/config.json", "sub/model.safetensors"}},
		{hub.Ref{File: "sub/config.json"}, "sub/config.json", []string{"sub/config.json", "sub/model.safetensors"}},
		{hub.Ref{File: "pytorch_model.bin"}, "pytorch_model.bin", []string{"config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin"}},
		{hub.Ref{File: "q-00002-of-00002.gguf"}, "q-00001-of-00002.gguf", []string{"q-00001-of-00002.gguf", "q-00002-of-00002.gguf"}},
		{hub.Ref{File: "q.gguf"}, "q.gguf", []string{"q.gguf"}},
	} {
		h := hubtest.New(map[string]*hubtest.Repo{repoName: repo})
		c := &hub.Client{Endpoint: h.URL, Cache: t.TempDir(), Timeout: 10e9, Backoff: 1e6}
		test.ref.Repo = repoName
		path, err := c.Locate(t.Context(), test.ref, layouts.Files, func(*hub.Result) {}, nil)
		h.Close()
		root := filepath.Join(c.Cache, "models--state-spaces--tiny", "snapshots", repo.Commit())
		if err != nil || path != filepath.Join(root, filepath.FromSlash(test.path)) {
			t.Errorf("%+v: %s, %v", test.ref, path, err)
			continue
		}
		wantFiles(t, root, repo, test.needed...)
	}
}
