package hub_test

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/hub/hubtest"
	"github.com/gomamba/gomamba/internal/layouts"
)

const repoName = "state-spaces/tiny"

// weights are half a megabyte that do not compress.
var weights = func() []byte {
	b := make([]byte, 512<<10)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}()

func tinyRepo() *hubtest.Repo {
	return &hubtest.Repo{Files: map[string][]byte{
		"config.json":             []byte(`{"model_type": "mamba"}`),
		"model.safetensors":       weights,
		"pytorch_model.bin":       []byte("the same as a pickle"),
		"tokenizer.json":          []byte("{}"),
		"README.md":               []byte("# tiny"),
		".gitattributes":          []byte("*.safetensors filter=lfs"),
		"onnx/model.onnx":         []byte("another form"),
		"empty.txt":               nil,
		"with space & umläut.txt": []byte("x"),
	}}
}

// start serves one repository and returns a client with an empty cache.
func start(t *testing.T, repo *hubtest.Repo) (*hubtest.Hub, *hub.Client) {
	t.Helper()
	h := hubtest.New(map[string]*hubtest.Repo{repoName: repo})
	t.Cleanup(h.Close)
	return h, &hub.Client{Endpoint: h.URL, Cache: t.TempDir(), Timeout: 10 * time.Second, Backoff: time.Millisecond, UserAgent: "test"}
}

func download(t *testing.T, c *hub.Client, req hub.Request) *hub.Result {
	t.Helper()
	req.Repo = repoName
	res, err := c.Download(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// wantFiles checks that the files of a folder are those of the repository, and no others.
func wantFiles(t *testing.T, dir string, repo *hubtest.Repo, names ...string) {
	t.Helper()
	for _, name := range names {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, repo.Files[name]) {
			t.Errorf("%s: %d bytes that differ from the hub's %d", name, len(got), len(repo.Files[name]))
		}
	}
	found := 0
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, filepath.Join(".cache", "huggingface")) {
			found++
		}
		return err
	})
	if found != len(names) {
		t.Errorf("%d files in %s, expected %d", found, dir, len(names))
	}
}

func allNames(repo *hubtest.Repo) (names []string) {
	for name := range repo.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// gets counts requests for content.
func gets(h *hubtest.Hub, name string) (n int) {
	for _, r := range h.Requests() {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, name) && (r.Storage || strings.Contains(r.Path, "/resolve-cache/")) {
			n++
		}
	}
	return n
}

func TestDownloadsIntoTheCacheLayout(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	res := download(t, c, hub.Request{})
	dir := filepath.Join(c.Cache, "models--state-spaces--tiny")
	if want := filepath.Join(dir, "snapshots", repo.Commit()); res.Path != want {
		t.Errorf("path %s, expected %s", res.Path, want)
	}
	wantFiles(t, res.Path, repo, allNames(repo)...)
	if ref, err := os.ReadFile(filepath.Join(dir, "refs", "main")); string(ref) != repo.Commit() {
		t.Errorf("refs/main is %q (%v), expected %s", ref, err, repo.Commit())
	}
	for name, want := range map[string]string{
		"model.safetensors": "../../blobs/" + hubtest.SHA256(weights),
		"config.json":       "../../blobs/" + hubtest.BlobID(repo.Files["config.json"]),
		"onnx/model.onnx":   "../../../blobs/" + hubtest.BlobID(repo.Files["onnx/model.onnx"]),
	} {
		if got, err := os.Readlink(filepath.Join(res.Path, name)); filepath.ToSlash(got) != want {
			t.Errorf("%s links to %q (%v), expected %q", name, got, err, want)
		}
	}
	// Once more: one question about the commit, no content.
	before := len(h.Requests())
	if res := download(t, c, hub.Request{}); len(res.Missing) != 0 {
		t.Errorf("%d files are missing the second time", len(res.Missing))
	}
	if n := len(h.Requests()) - before; n != 1 {
		t.Errorf("%d requests the second time, expected 1", n)
	}
	// And by its commit, none at all.
	h.Close()
	download(t, c, hub.Request{Revision: repo.Commit()})
}

func TestSelectsFiles(t *testing.T) {
	for _, test := range []struct {
		name   string
		choose hub.Select
		want   []string
	}{
		{"include", hub.Matching([]string{"*.json"}, nil), []string{"config.json", "tokenizer.json"}},
		{"exclude", hub.Matching([]string{"*.json"}, []string{"tok*"}), []string{"config.json"}},
		{"star matches slashes", hub.Matching([]string{"*.onnx"}, nil), []string{"onnx/model.onnx"}},
		{"folder", hub.Matching([]string{"onnx/"}, nil), []string{"onnx/model.onnx"}},
		{"set", hub.Matching([]string{"[ce]*.[!t]*n"}, nil), []string{"config.json"}},
		{"named", hub.Named([]string{"README.md", "onnx/"}), []string{"README.md", "onnx/model.onnx"}},
		{"model", layouts.Files, []string{"config.json", "model.safetensors", "tokenizer.json"}},
		{"escapes", hub.Named([]string{"with space & umläut.txt"}), []string{"with space & umläut.txt"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := tinyRepo()
			_, c := start(t, repo)
			res := download(t, c, hub.Request{Select: test.choose})
			wantFiles(t, res.Path, repo, test.want...)
		})
	}
}

// A download that is stopped goes on in another process where it was, here with what a client of another kind left.
// What is left of a download that is wrong, too long, or complete does no harm.
// A blob that lost its end, say on a full disk, is fetched anew.
func TestOffline(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	c.Offline = true
	if _, err := c.Download(t.Context(), hub.Request{Repo: repoName}); err == nil || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
		t.Errorf("an empty cache: %v", err)
	}
	if n := len(h.Requests()); n > 0 {
		t.Errorf("%d requests were made", n)
	}
	c.Offline = false
	download(t, c, hub.Request{Select: layouts.Files})
	c.Offline = true
	res := download(t, c, hub.Request{Select: layouts.Files})
	wantFiles(t, res.Path, repo, "config.json", "model.safetensors", "tokenizer.json")
	if _, err := c.Download(t.Context(), hub.Request{Repo: repoName}); err == nil || !strings.Contains(err.Error(), `lacks ".gitattributes", "README.md"`) {
		t.Errorf("what was not downloaded: %v", err)
	}
	local := t.TempDir()
	download(t, c, hub.Request{Select: layouts.Files, LocalDir: local})
	wantFiles(t, local, repo, "config.json", "model.safetensors", "tokenizer.json")
}

func TestFollowsTheBranch(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	old := download(t, c, hub.Request{})
	changed := tinyRepo()
	changed.Files["config.json"] = []byte(`{"model_type": "mamba", "vocab_size": 8}`)
	h.Set(repoName, changed)
	before := gets(h, "model.safetensors")
	res := download(t, c, hub.Request{})
	wantFiles(t, res.Path, changed, allNames(changed)...)
	wantFiles(t, old.Path, repo, allNames(repo)...)
	if gets(h, "model.safetensors") != before {
		t.Error("weights that did not change were fetched again")
	}
}

func TestLocalDir(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	dir := t.TempDir()
	download(t, c, hub.Request{LocalDir: dir})
	wantFiles(t, dir, repo, allNames(repo)...)
	before := len(h.Requests())
	if res := download(t, c, hub.Request{LocalDir: dir}); len(res.Missing) > 0 {
		t.Errorf("%d files are missing the second time", len(res.Missing))
	}
	// Files that are there without a note are known by their hash; one that was changed is fetched.
	if err := os.RemoveAll(filepath.Join(dir, ".cache", "huggingface", "download")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "other"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	download(t, c, hub.Request{LocalDir: dir})
	wantFiles(t, dir, repo, allNames(repo)...)
	var fetched []string
	for _, r := range h.Requests()[before:] {
		if r.Method == http.MethodGet && strings.Contains(r.Path, "/resolve/") {
			fetched = append(fetched, r.Path[strings.LastIndex(r.Path, "/")+1:])
		}
	}
	if d := cmp.Diff([]string{"config.json"}, fetched); d != "" {
		t.Errorf("fetched (-want +got):\n%s", d)
	}
}

// Many processes may want one repository at once.
func TestTogether(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	var group sync.WaitGroup
	for range 8 {
		other := *c
		group.Go(func() {
			if _, err := other.Download(t.Context(), hub.Request{Repo: repoName}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := gets(h, "model.safetensors"); n != 1 {
		t.Errorf("the weights were fetched %d times", n)
	}
}

func TestMirrorWithoutTree(t *testing.T) {
	repo := tinyRepo()
	repo.NoTree = true
	_, c := start(t, repo)
	res := download(t, c, hub.Request{})
	wantFiles(t, res.Path, repo, allNames(repo)...)
	c.Offline = true
	download(t, c, hub.Request{Select: layouts.Files})
}

func TestWithoutLinks(t *testing.T) {
	repo := tinyRepo()
	_, c := start(t, repo)
	c.NoLinks = true
	res := download(t, c, hub.Request{})
	wantFiles(t, res.Path, repo, allNames(repo)...)
	if info, err := os.Lstat(filepath.Join(res.Path, "model.safetensors")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("not a file: %v", err)
	}
}

func TestLocate(t *testing.T) {
	repo := tinyRepo()
	h, c := start(t, repo)
	h.Set("some/gguf", &hubtest.Repo{Files: map[string][]byte{"a-q6_k.gguf": []byte("a"), "b.gguf": []byte("b")}})
	locate := func(arg string) (path, told string, err error) {
		ref, ok := hub.ParseRef(arg)
		if !ok {
			t.Fatalf("%s is no reference", arg)
		}
		path, err = c.Locate(t.Context(), ref, layouts.Files, func(*hub.Result) { told = "fetching" }, nil)
		return path, told, err
	}
	path, told, err := locate(repoName)
	if err != nil || told == "" {
		t.Fatalf("%v, told %q", err, told)
	}
	wantFiles(t, path, repo, "config.json", "model.safetensors", "tokenizer.json")
	before := len(h.Requests())
	if again, told, err := locate(repoName); again != path || told != "" || err != nil || len(h.Requests()) != before {
		t.Errorf("the second time: %s, told %q, %d requests, %v", again, told, len(h.Requests())-before, err)
	}
	if _, _, err := locate(repoName + "@" + repo.Commit()); err != nil || len(h.Requests()) != before {
		t.Errorf("by its commit: %v, %d requests", err, len(h.Requests())-before)
	}
	if _, _, err := locate("some/gguf"); err == nil || !strings.Contains(err.Error(), "there are Q6_K, b.gguf") {
		t.Errorf("one of two GGUF files: %v", err)
	}
	if path, _, err := locate("some/gguf/b.gguf"); err != nil || filepath.Base(path) != "b.gguf" {
		t.Errorf("a named GGUF file: %s, %v", path, err)
	}
}

func TestParseRef(t *testing.T) {
	for arg, want := range map[string]hub.Ref{
		"owner/name":           {Repo: "owner/name"},
		"owner/name@v1.0":      {Repo: "owner/name", Revision: "v1.0"},
		"owner/name@refs/pr/1": {Repo: "owner/name", Revision: "refs/pr/1"},
		"owner/name/x.gguf":    {Repo: "owner/name", File: "x.gguf"},
		"owner/name:Q4_K_M":    {Repo: "owner/name", Tag: "Q4_K_M"},
		"owner/name@v1:q6_k":   {Repo: "owner/name", Revision: "v1", Tag: "q6_k"},
		"hf.co/owner/name:iq1": {Repo: "owner/name", Tag: "iq1"},
		"owner/name:x.gguf":    {Repo: "owner/name", Tag: "x.gguf"},
		"owner/name:":          {},
		"owner/name:a/b":       {},
		"owner/name:a:b":       {},
		"owner/name/x.gguf:q":  {},
		"folder":               {},
		"./owner/name":         {},
		"/owner/name":          {},
		"owner/name/":          {},
		"a/b/c":                {},
		"dir/model.gguf":       {},
		"dir/config.json":      {},
		"../name":              {},
		"owner/na me":          {},
		"owner/name@../x":      {},
	} {
		got, ok := hub.ParseRef(arg)
		if !ok {
			got = hub.Ref{}
		}
		if got != want {
			t.Errorf("%s: %+v, expected %+v", arg, got, want)
		}
	}
}
