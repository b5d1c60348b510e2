package hub_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gomamba/gomamba/internal/hub"
)

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("hf_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		env  map[string]string
		want hub.Client
	}{
		{"home", map[string]string{"HF_HOME": home},
			hub.Client{Endpoint: "https://huggingface.co", Cache: filepath.Join(home, "hub"), Token: "hf_file"}},
		{"cache and token", map[string]string{"HF_HOME": home, "HF_HUB_CACHE": "$HF_HOME/other", "HF_TOKEN": " hf_env\n"},
			hub.Client{Endpoint: "https://huggingface.co", Cache: home + "/other", Token: "hf_env"}},
		{"mirror, offline", map[string]string{"HF_HOME": "/h", "HF_ENDPOINT": "http://mirror/hf/", "HF_HUB_OFFLINE": "yes"},
			hub.Client{Endpoint: "http://mirror/hf", Cache: filepath.FromSlash("/h/hub"), Offline: true}},
		{"xdg", map[string]string{"XDG_CACHE_HOME": "/x", "HF_HUB_DISABLE_SYMLINKS": "1"},
			hub.Client{Endpoint: "https://huggingface.co", Cache: filepath.FromSlash("/x/huggingface/hub"), NoLinks: true}},
		{"no implicit token", map[string]string{"HF_HOME": home, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
			hub.Client{Endpoint: "https://huggingface.co", Cache: filepath.Join(home, "hub")}},
		{"default", map[string]string{"HOME": "/u", "USERPROFILE": "/u"},
			hub.Client{Endpoint: "https://huggingface.co", Cache: filepath.FromSlash("/u/.cache/huggingface/hub")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{
				"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT",
				"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME", "HF_HUB_DISABLE_SYMLINKS", "HF_HUB_DISABLE_IMPLICIT_TOKEN",
				"HF_HUB_DOWNLOAD_TIMEOUT",
			} {
				t.Setenv(name, test.env[name])
			}
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			c, err := hub.FromEnv()
			if err != nil {
				t.Fatal(err)
			}
			got := hub.Client{Endpoint: c.Endpoint, Cache: c.Cache, Token: c.Token, Offline: c.Offline, NoLinks: c.NoLinks}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("%+v\nexpected %+v", got, test.want)
			}
		})
	}
	t.Setenv("HF_ENDPOINT", "huggingface.co")
	if _, err := hub.FromEnv(); err == nil {
		t.Error("an endpoint without a scheme was taken")
	}
}
