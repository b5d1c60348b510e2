package hub_test

import (
	"errors"
	"fmt"
	"net/http"
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

// Some mirrors give all files one ETag. The listing distinguishes them; without a listing, their paths do.
func TestOneETagForAllFiles(t *testing.T) {
	for _, noTree := range []bool{false, true} {
		t.Run(fmt.Sprintf("noTree=%v", noTree), func(t *testing.T) {
			repo := tinyRepo()
			repo.ETag, repo.NoTree = "abc-1", noTree
			h, c := start(t, repo)
			old := download(t, c, hub.Request{})
			changed := tinyRepo()
			changed.ETag, changed.NoTree = "abc-1", noTree
			changed.Files["config.json"] = []byte(`{"model_type": "other"}`) // as long as before
			h.Set(repoName, changed)
			res := download(t, c, hub.Request{})
			wantFiles(t, res.Path, changed, allNames(changed)...)
			wantFiles(t, old.Path, repo, allNames(repo)...)
			local := t.TempDir()
			download(t, c, hub.Request{LocalDir: local})
			wantFiles(t, local, changed, allNames(changed)...)
			h.Set(repoName, repo)
			download(t, c, hub.Request{LocalDir: local})
			wantFiles(t, local, repo, allNames(repo)...)
		})
	}
}

func TestBlobOfOtherContentIsNotAdopted(t *testing.T) {
	repo := tinyRepo()
	_, c := start(t, repo)
	blobs := filepath.Join(c.Cache, "models--state-spaces--tiny", "blobs")
	if err := os.MkdirAll(blobs, 0o777); err != nil {
		t.Fatal(err)
	}
	wrong := slices.Clone(weights)
	wrong[1000] ^= 1
	if err := os.WriteFile(filepath.Join(blobs, hubtest.SHA256(weights)), wrong, 0o666); err != nil {
		t.Fatal(err)
	}
	res := download(t, c, hub.Request{Select: layouts.Files})
	wantFiles(t, res.Path, repo, "config.json", "model.safetensors", "tokenizer.json")
}

// counting makes every request to a repository go to answer, and counts them.
func counting(answer http.HandlerFunc) (repo *hubtest.Repo, n *int) {
	repo, n = tinyRepo(), new(int)
	repo.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		*n++
		answer(w, r)
		return true
	}
	return repo, n
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

func TestHopelessIsTriedOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		change func(c *hub.Client)
		want   string
		n      int
	}{
		{"file", redirect("file:///etc/passwd"), nil, `redirects to an address of the scheme "file", expected https`, 1},
		{"ftp", redirect("ftp://example.com/x"), nil, `redirects to an address of the scheme "ftp"`, 1},
		{"teapot", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, nil, "answered 418 I'm a teapot", 1},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "br") }, nil, `sends "br"`, 1},
		{"no web server", func(w http.ResponseWriter, _ *http.Request) {
			conn, buf, _ := http.NewResponseController(w).Hijack()
			buf.WriteString("SSH-2.0-OpenSSH_9.9\r\n")
			buf.Flush()
			conn.Close()
		}, nil, "malformed HTTP response", 1},
		{"no TLS", nil, func(c *hub.Client) { c.Endpoint = "https" + strings.TrimPrefix(c.Endpoint, "http") }, "HTTP response to HTTPS client", 0},
		{"token", nil, func(c *hub.Client) { c.Token, c.TokenFrom = "hf_a\nb", "HF_TOKEN" },
			"the token from HF_TOKEN cannot be one: it holds a space, a line break or another odd character at byte 5", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo, n := counting(test.answer)
			_, c := start(t, repo)
			c.Backoff = time.Minute
			if test.change != nil {
				test.change(c)
			}
			_, err := c.Download(t.Context(), hub.Request{Repo: repoName})
			if err == nil || !strings.Contains(err.Error(), test.want) || *n != test.n {
				t.Errorf("%d requests, expected %d: %v\nexpected %q", *n, test.n, err, test.want)
			}
		})
	}
}

func TestPausesAreAnnounced(t *testing.T) {
	repo := tinyRepo()
	busy := 2
	repo.Intercept = func(w http.ResponseWriter, _ *http.Request) bool {
		if busy--; busy < 0 {
			return false
		}
		if busy == 0 {
			w.Header().Set("RateLimit", `"api";r=0;t=1`)
		} else {
			w.Header().Set("Retry-After", "1")
		}
		hubtest.Refuse(w, http.StatusTooManyRequests, "", "slow down")
		return true
	}
	_, c := start(t, repo)
	var said []string
	c.Waiting = func(err error, pause time.Duration) { said = append(said, fmt.Sprintf("%v %v", pause, err)) }
	download(t, c, hub.Request{})
	if len(said) != 2 || !strings.Contains(said[0], `1s 127.0.0.1:`) || !strings.Contains(said[1], `429 Too Many Requests: "slow down"`) {
		t.Errorf("announced %q", said)
	}
}

// invalidToken makes a repository refuse whatever has a token, as the hub does with one that has expired.
func invalidToken(repo *hubtest.Repo) *hubtest.Repo {
	repo.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "" {
			return false
		}
		hubtest.Refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return true
	}
	return repo
}

func TestInvalidToken(t *testing.T) {
	repo := invalidToken(tinyRepo())
	h, c := start(t, repo)
	c.Token, c.TokenFrom = "hf_old", "HF_TOKEN"
	var said []string
	c.Warn = func(text string) { said = append(said, text) }
	res := download(t, c, hub.Request{})
	wantFiles(t, res.Path, repo, allNames(repo)...)
	const invalid = "the hub does not accept the token from HF_TOKEN: it is not valid, or not any more"
	if len(said) != 1 || said[0] != invalid+"; going on without it" {
		t.Errorf("announced %q", said)
	}
	if n := len(slices.DeleteFunc(h.Requests(), func(r hubtest.Request) bool { return r.Authorization == "" })); n != 1 {
		t.Errorf("the token was sent %d times", n)
	}
	// Where the files themselves need a token, the model is not public.
	gated := invalidToken(tinyRepo())
	gated.Gated = true
	gated.Files["new.txt"] = []byte("new")
	h.Set(repoName, gated)
	_, err := c.Download(t.Context(), hub.Request{Repo: repoName})
	if err == nil || !strings.Contains(err.Error(), "accept its terms at "+h.URL+"/"+repoName) || !strings.Contains(err.Error(), invalid) {
		t.Errorf("a gated one: %v", err)
	}
	private := invalidToken(tinyRepo())
	private.Token = "hf_other"
	h2, c2 := start(t, private)
	c2.Token, c2.TokenFrom = "hf_old", "/home/me/token"
	_, err = c2.Download(t.Context(), hub.Request{Repo: repoName})
	if err == nil || !strings.Contains(err.Error(), "the hub does not accept the token from /home/me/token") || !strings.Contains(err.Error(), h2.URL+"/settings/tokens") {
		t.Errorf("a private one: %v", err)
	}
}

func TestForbidden(t *testing.T) {
	for _, test := range []struct{ code, message, want string }{
		{"", "Access to this resource is disabled.", "the hub has disabled access to it"},
		{"GatedRepo", "Access is restricted", "accept its terms at"},
		{"", "no", "the hub refuses access; give a token"},
	} {
		repo, _ := counting(func(w http.ResponseWriter, _ *http.Request) {
			hubtest.Refuse(w, http.StatusForbidden, test.code, test.message)
		})
		_, c := start(t, repo)
		_, err := c.Download(t.Context(), hub.Request{Repo: repoName})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %v\nexpected %q", test.code, test.message, err, test.want)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	const token, password = "hf_topsecret", "pa55word"
	repo, _ := counting(func(w http.ResponseWriter, r *http.Request) {
		hubtest.Refuse(w, http.StatusBadRequest, "", strings.Repeat("x", 50)+r.Header.Get("Authorization")+" "+password)
	})
	_, c := start(t, repo)
	c.Token = token
	c.Endpoint = strings.Replace(c.Endpoint, "http://", "http://me:"+password+"@", 1)
	_, err := c.Download(t.Context(), hub.Request{Repo: repoName})
	for ; err != nil; err = errors.Unwrap(err) {
		if text := err.Error(); strings.Contains(text, "secret") || strings.Contains(text, password) {
			t.Errorf("the error shows %s", text)
		}
	}
	if strings.Contains(c.Site(), password) {
		t.Errorf("the site is %s", c.Site())
	}
	for _, endpoint := range []string{"me:" + password + "@hub", "ftp://me:" + password + "@hub", "http://me:" + password + " x@hub"} {
		t.Setenv("HF_ENDPOINT", endpoint)
		if _, err := hub.FromEnv(); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}
