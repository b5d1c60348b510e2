package hub_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/hub/hubtest"
	"github.com/gomamba/gomamba/internal/layouts"
)

func TestSurvivesFaults(t *testing.T) {
	const file = "model.safetensors"
	n := len(weights)
	for _, test := range []struct {
		name   string
		faults []hubtest.Fault
		gets   int
	}{
		{"cut twice", []hubtest.Fault{{Cut: n / 3}, {Cut: n / 3}}, 3},
		{"cut ten times", slices.Repeat([]hubtest.Fault{{Cut: n / 20}}, 10), 11},
		{"corrupt", []hubtest.Fault{{Corrupt: true}}, 2},
		{"cut, then the rest corrupt", []hubtest.Fault{{Cut: n / 3}, {Corrupt: true}}, 3},
		{"no range", []hubtest.Fault{{Cut: n / 2}, {NoRange: true}}, 2},
		{"busy", []hubtest.Fault{{Status: 429, After: "0"}, {Status: 503}, {Status: 500}}, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := tinyRepo()
			repo.Faults = map[string][]hubtest.Fault{file: test.faults}
			h, c := start(t, repo)
			res := download(t, c, hub.Request{Select: layouts.Files})
			wantFiles(t, res.Path, repo, "config.json", file, "tokenizer.json")
			if got := gets(h, file); got != test.gets {
				t.Errorf("%d requests for it, expected %d", got, test.gets)
			}
			if left, _ := filepath.Glob(filepath.Join(c.Cache, "*", "blobs", "*.incomplete")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestSilenceIsNoticed(t *testing.T) {
	repo := tinyRepo()
	repo.Faults = map[string][]hubtest.Fault{"model.safetensors": {{Silence: time.Minute}}}
	_, c := start(t, repo)
	c.Timeout = 200 * time.Millisecond
	res := download(t, c, hub.Request{Select: layouts.Files})
	wantFiles(t, res.Path, repo, "config.json", "model.safetensors", "tokenizer.json")
}

func TestGivesUpOnWhatStaysWrong(t *testing.T) {
	always := func(f hubtest.Fault) map[string][]hubtest.Fault {
		return map[string][]hubtest.Fault{"model.safetensors": slices.Repeat([]hubtest.Fault{f}, 100)}
	}
	for _, test := range []struct {
		name string
		hubtest.Fault
		want string
	}{
		{"corrupt", hubtest.Fault{Corrupt: true}, "model.safetensors: arrived damaged 3 times: SHA-256 is"},
		{"page", hubtest.Fault{Page: true}, "model.safetensors: 127.0.0.1:"},
		{"longer", hubtest.Fault{Longer: true}, "sent more than the 524288 bytes announced"},
		{"down", hubtest.Fault{Status: 503}, "answered 503 Service Unavailable"},
		{"wait an hour", hubtest.Fault{Status: 429, After: "3600"}, "asks to wait 1h0m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := tinyRepo()
			repo.Faults = always(test.Fault)
			_, c := start(t, repo)
			_, err := c.Download(t.Context(), hub.Request{Repo: repoName, Select: layouts.Files})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), repoName) {
				t.Fatalf("error %v, expected %q", err, test.want)
			}
			if strings.Contains(err.Error(), "signature") {
				t.Errorf("the error shows a signed address: %v", err)
			}
			if _, err := os.Stat(filepath.Join(c.Cache, "models--state-spaces--tiny", "blobs", hubtest.SHA256(weights))); err == nil {
				t.Error("a blob has its name that is not its content")
			}
			if _, err := os.Stat(filepath.Join(c.Cache, "models--state-spaces--tiny", "refs", "main")); err == nil {
				t.Error("refs/main names a commit that is not complete")
			}
		})
	}
}

func TestGoesOnLater(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	part := filepath.Join(c.Cache, "models--state-spaces--tiny", "blobs", hubtest.SHA256(weights)+".incomplete")
	if err := os.MkdirAll(filepath.Dir(part), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(part, weights[:100_000], 0o666); err != nil {
		t.Fatal(err)
	}
	res := download(t, c, hub.Request{Select: hub.Named([]string{"model.safetensors"})})
	wantFiles(t, res.Path, repo, "model.safetensors")
	last := h.Requests()[len(h.Requests())-1]
	if last.Range != "bytes=100000-" {
		t.Errorf("asked for the range %q, expected bytes=100000-", last.Range)
	}
}

func TestOddRemains(t *testing.T) {
	for name, remains := range map[string][]byte{
		"wrong":    bytes.Repeat([]byte("x"), 1000),
		"too long": append(slices.Clone(weights), "more"...),
		"complete": weights,
	} {
		t.Run(name, func(t *testing.T) {
			repo := tinyRepo()
			_, c := start(t, repo)
			part := filepath.Join(c.Cache, "models--state-spaces--tiny", "blobs", hubtest.SHA256(weights)+".incomplete")
			os.MkdirAll(filepath.Dir(part), 0o777)
			if err := os.WriteFile(part, remains, 0o666); err != nil {
				t.Fatal(err)
			}
			res := download(t, c, hub.Request{Select: hub.Named([]string{"model.safetensors"})})
			wantFiles(t, res.Path, repo, "model.safetensors")
		})
	}
}

func TestTruncatedBlobIsFetchedAgain(t *testing.T) {
	repo := tinyRepo()
	_, c := start(t, repo)
	res := download(t, c, hub.Request{Select: layouts.Files})
	if err := os.Truncate(filepath.Join(res.Path, "model.safetensors"), 1000); err != nil {
		t.Fatal(err)
	}
	res = download(t, c, hub.Request{Select: layouts.Files})
	wantFiles(t, res.Path, repo, "config.json", "model.safetensors", "tokenizer.json")
}

func TestInterruptLeavesWhatArrived(t *testing.T) {
	repo := tinyRepo()
	repo.Faults = map[string][]hubtest.Fault{"model.safetensors": {{Silence: time.Minute}}}
	_, c := start(t, repo)
	ctx, cancel := context.WithCancel(t.Context())
	half := func(f hub.File, done int64) {
		if f.Path == "model.safetensors" && done >= int64(len(weights)/2) {
			cancel()
		}
	}
	begin := time.Now()
	_, err := c.Download(ctx, hub.Request{Repo: repoName, Select: layouts.Files, Progress: half})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, expected that of the context", err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("took %v to stop", d)
	}
	part := filepath.Join(c.Cache, "models--state-spaces--tiny", "blobs", hubtest.SHA256(weights)+".incomplete")
	if info, err := os.Stat(part); err != nil || info.Size() != int64(len(weights)/2) {
		t.Errorf("what arrived is not there: %v", err)
	}
}

func TestTokenStaysWithTheHub(t *testing.T) {
	repo := tinyRepo()
	repo.Token = "hf_secret"
	h, c := start(t, repo)
	if _, err := c.Download(t.Context(), hub.Request{Repo: repoName}); err == nil || !strings.Contains(err.Error(), "give a token") {
		t.Errorf("without a token: %v", err)
	}
	c.Token = "hf_secret"
	download(t, c, hub.Request{})
	stored := 0
	for _, r := range h.Requests() {
		if r.Storage {
			stored++
			if r.Authorization != "" {
				t.Fatal("the storage was given the token")
			}
		}
	}
	if stored == 0 {
		t.Error("nothing came from the storage")
	}
}

func TestRefusals(t *testing.T) {
	gated, moved := tinyRepo(), &hubtest.Repo{Moved: repoName}
	gated.Gated = true
	h, c := start(t, tinyRepo())
	h.Set("meta/gated", gated)
	h.Set("old/name", moved)
	for _, test := range []struct {
		name string
		req  hub.Request
		want string
	}{
		{"no such repository", hub.Request{Repo: "no/such"}, "no/such: no such repository on the hub; check the name"},
		{"no such revision", hub.Request{Repo: repoName, Revision: "v9"}, `does not have the revision "v9"`},
		{"no such file", hub.Request{Repo: repoName, Select: hub.Named([]string{"weights.pt"})}, `no file "weights.pt" in the repository`},
		{"nothing matches", hub.Request{Repo: repoName, Select: hub.Matching([]string{"*.pt"}, nil)}, "none of the 9 files matches"},
		{"gated", hub.Request{Repo: "meta/gated"}, "accept its terms at " + h.URL + "/meta/gated"},
		{"not a name", hub.Request{Repo: "../../etc"}, "is not the name of a repository"},
		{"not a revision", hub.Request{Repo: repoName, Revision: "../../../x"}, "is not a revision"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.Download(t.Context(), test.req)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v\nexpected %q", err, test.want)
			}
		})
	}
	if _, err := c.Download(t.Context(), hub.Request{Repo: "old/name"}); err != nil {
		t.Errorf("a repository that was renamed: %v", err)
	}
}

func TestPathsStayInTheirFolder(t *testing.T) {
	for _, name := range []string{
		"../../../evil", "/etc/evil", `..\evil`, "a/../../evil", "C:evil", "a//b", "./a", "nul\x00", ".cache/huggingface/download/x.metadata",
	} {
		for _, local := range []bool{false, true} {
			if !local && strings.HasPrefix(name, ".cache") {
				continue // harmless in a snapshot
			}
			repo := tinyRepo()
			repo.Files[name] = []byte("evil")
			_, c := start(t, repo)
			req := hub.Request{Repo: repoName}
			if local {
				req.LocalDir = filepath.Join(t.TempDir(), "a", "b", "c")
			}
			if _, err := c.Download(t.Context(), req); err == nil || !strings.Contains(err.Error(), "refused") {
				t.Errorf("%q was not refused: %v", name, err)
			}
			if _, err := os.Stat(filepath.Join(c.Cache, "models--state-spaces--tiny", "blobs")); err == nil {
				t.Errorf("%q: files were fetched", name)
			}
		}
	}
}

func TestCacheStandsInForAHubThatIsDown(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	download(t, c, hub.Request{})
	h.Close()
	if res := download(t, c, hub.Request{}); res.Stale == nil {
		t.Error("nothing says that the hub was not reached")
	}
	c.Cache = t.TempDir()
	if _, err := c.Download(t.Context(), hub.Request{Repo: repoName}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("without a cache: %v", err)
	}
}
