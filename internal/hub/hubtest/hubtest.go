// Package hubtest is a hub for tests: the part of the Hugging Face hub's interface that downloads need, on loopback,
// with a second server in the role of the storage that large files are redirected to, and with faults on request.
package hubtest

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Repo is a repository.
type Repo struct {
	Files map[string][]byte
	Tags  map[string]string // further revisions by name; main is always there

	Token string // needed to read it, if set
	Gated bool   // the token's account has not accepted the terms
	Moved string // the name it has now

	// Faults are done to requests for a file, one each, until they are used up.
	Faults map[string][]Fault

	// ETag is given with every file in place of its hash, as some mirrors do.
	ETag string

	// Intercept may answer a request in place of the hub.
	Intercept func(w http.ResponseWriter, r *http.Request) (answered bool)

	// NoTree makes the repository one of a mirror that lists names only.
	NoTree bool
}

// Fault is something that goes wrong with one request for a file's content.
type Fault struct {
	Cut     int           // send so many bytes, then break the connection
	Corrupt bool          // flip a bit
	Longer  bool          // send more than there is
	NoRange bool          // send all, whatever was asked for
	Status  int           // refuse
	After   string        // Retry-After of a refusal
	Silence time.Duration // send half and then nothing for so long
	Page    bool          // send a page of HTML, as a hotel's network does
}

// Request is what arrived at one of the servers.
type Request struct {
	Method, Path, Range, Authorization string
	Storage                            bool // at the storage, not at the hub
}

// Hub serves repositories.
type Hub struct {
	URL     string // of the hub
	Storage string // of the servers that large files are redirected to

	mu       sync.Mutex
	repos    map[string]*Repo
	requests []Request
	servers  []*httptest.Server
}

// New starts a hub; Close ends it.
func New(repos map[string]*Repo) *Hub {
	h := &Hub{repos: repos}
	hub := httptest.NewServer(http.HandlerFunc(h.serveHub))
	storage := httptest.NewServer(http.HandlerFunc(h.serveStorage))
	h.URL, h.Storage, h.servers = hub.URL, storage.URL, []*httptest.Server{hub, storage}
	return h
}

// Close ends the servers and the connections to them.
func (h *Hub) Close() {
	for _, s := range h.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// Requests returns what has arrived so far.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Set replaces a repository.
func (h *Hub) Set(name string, repo *Repo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[name] = repo
}

// FromFS makes a repository of the files below a folder.
func FromFS(files fs.FS) (*Repo, error) {
	r := &Repo{Files: map[string][]byte{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		r.Files[name], err = fs.ReadFile(files, name)
		return err
	})
	return r, err
}

// Commit is the hash of the repository as it is.
func (r *Repo) Commit() string {
	sum := sha1.New()
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		fmt.Fprintf(sum, "%s %s\n", name, BlobID(r.Files[name]))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// BlobID is git's hash of a file.
func BlobID(data []byte) string {
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", len(data))
	sum.Write(data)
	return hex.EncodeToString(sum.Sum(nil))
}

// SHA256 is the hash that large files go by.
func SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Large reports whether a file is kept in the storage.
func Large(name string) bool {
	return slices.Contains([]string{".safetensors", ".bin", ".gguf"}, path.Ext(name))
}

func (h *Hub) arrived(r *http.Request, storage bool) {
	h.requests = append(h.requests, Request{r.Method, r.URL.Path, r.Header.Get("Range"), r.Header.Get("Authorization"), storage})
}

// Refuse answers as the hub does, with its own words in headers.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}

func (h *Hub) serveHub(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrived(r, false)
	rest, cached := strings.CutPrefix(r.URL.EscapedPath(), cachePath)
	rest, api := strings.CutPrefix(rest, "/api/models/")
	parts := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	if len(parts) < 2 {
		http.NotFound(w, r)
		return
	}
	name := parts[0] + "/" + parts[1]
	repo := h.repos[name]
	switch {
	case repo == nil:
		Refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	case repo.Intercept != nil && repo.Intercept(w, r):
		return
	case repo.Moved != "":
		http.Redirect(w, r, strings.Replace(r.URL.EscapedPath(), name, repo.Moved, 1), http.StatusTemporaryRedirect)
		return
	case repo.Token != "" && r.Header.Get("Authorization") != "Bearer "+repo.Token:
		Refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	case repo.Gated && !api:
		Refuse(w, http.StatusForbidden, "GatedRepo", "Access to model "+name+" is restricted")
		return
	}
	if cached {
		h.cached(w, r, repo, unescape(strings.Join(parts[3:], "/")))
		return
	}
	if len(parts) == 2 && api {
		parts = append(parts, "revision", "main")
	}
	if len(parts) < 4 {
		http.NotFound(w, r)
		return
	}
	revision := unescape(parts[3])
	commit := repo.Commit()
	if revision != "main" && revision != commit && repo.Tags[revision] == "" {
		Refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
		return
	}
	switch {
	case api && parts[2] == "revision":
		h.info(w, name, repo)
	case api && parts[2] == "tree" && !repo.NoTree:
		h.tree(w, r, repo)
	case !api && parts[2] == "resolve":
		h.resolve(w, r, name, repo, unescape(strings.Join(parts[4:], "/")))
	default:
		http.NotFound(w, r)
	}
}

func (h *Hub) info(w http.ResponseWriter, name string, repo *Repo) {
	siblings := []map[string]string{}
	for _, file := range slices.Sorted(maps.Keys(repo.Files)) {
		siblings = append(siblings, map[string]string{"rfilename": file})
	}
	writeJSON(w, map[string]any{"id": name, "modelId": name, "sha": repo.Commit(), "private": false, "tags": []string{}, "siblings": siblings})
}

// pageSize is small, so that listings come in pages.
const pageSize = 3

func (h *Hub) tree(w http.ResponseWriter, r *http.Request, repo *Repo) {
	names := slices.Sorted(maps.Keys(repo.Files))
	at, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	end := min(at+pageSize, len(names))
	entries := []map[string]any{}
	for _, name := range names[at:end] {
		data := repo.Files[name]
		e := map[string]any{"type": "file", "path": name, "size": len(data), "oid": BlobID(data)}
		if Large(name) {
			e["lfs"] = map[string]any{"oid": SHA256(data), "size": len(data), "pointerSize": 134}
		}
		entries = append(entries, e)
	}
	if end < len(names) {
		q := r.URL.Query()
		q.Set("cursor", strconv.Itoa(end))
		w.Header().Set("Link", fmt.Sprintf("<%s%s?%s>; rel=\"next\"", h.URL, r.URL.EscapedPath(), q.Encode()))
	}
	writeJSON(w, entries)
}

func (h *Hub) resolve(w http.ResponseWriter, r *http.Request, name string, repo *Repo, file string) {
	w.Header().Set("X-Repo-Commit", repo.Commit())
	data, ok := repo.Files[file]
	if !ok {
		Refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	if Large(file) {
		w.Header().Set("X-Linked-Etag", `"`+cmp.Or(repo.ETag, SHA256(data))+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
		http.Redirect(w, r, h.Storage+"/"+name+"/"+escapePath(file)+"?signature=secret", http.StatusFound)
		return
	}
	// Small files lie behind a cache of the hub's own.
	w.Header().Set("ETag", `W/"of-the-redirect"`)
	http.Redirect(w, r, cachePath+name+"/"+repo.Commit()+"/"+escapePath(file), http.StatusTemporaryRedirect)
}

// cachePath is where the hub redirects to for small files.
const cachePath = "/api/resolve-cache/models/"

func (h *Hub) cached(w http.ResponseWriter, r *http.Request, repo *Repo, file string) {
	w.Header().Set("X-Repo-Commit", repo.Commit())
	w.Header().Set("ETag", `"`+cmp.Or(repo.ETag, BlobID(repo.Files[file]))+`"`)
	h.content(w, r, repo, file)
}

func (h *Hub) serveStorage(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrived(r, true)
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	repo := h.repos[parts[0]+"/"+parts[1]]
	w.Header().Set("ETag", `"of-the-storage"`)
	h.content(w, r, repo, parts[2])
}

// content sends a file, or does the next fault.
func (h *Hub) content(w http.ResponseWriter, r *http.Request, repo *Repo, file string) {
	data := slices.Clone(repo.Files[file])
	faults := repo.Faults[file]
	if r.Method != http.MethodGet || len(faults) == 0 {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
		return
	}
	fault := faults[0]
	repo.Faults[file] = faults[1:]
	switch {
	case fault.Status != 0:
		w.Header().Set("Retry-After", fault.After)
		w.WriteHeader(fault.Status)
	case fault.Page:
		w.Header().Del("ETag")
		fmt.Fprint(w, "<html>Please accept the terms of this network</html>")
	case fault.Corrupt:
		data[len(data)/2] ^= 1
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	case fault.Longer:
		w.Write(append(data, "and more"...))
	case fault.NoRange:
		w.Write(data)
	case fault.Silence > 0:
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Write(data[:len(data)/2])
		http.NewResponseController(w).Flush()
		h.mu.Unlock()
		select {
		case <-r.Context().Done():
		case <-time.After(fault.Silence):
		}
		h.mu.Lock()
	case fault.Cut > 0:
		http.ServeContent(&cutWriter{w, fault.Cut}, r, "", time.Time{}, strings.NewReader(string(data)))
		panic(http.ErrAbortHandler)
	}
}

// cutWriter lets so many bytes pass.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	c.left -= n
	if err == nil && n < len(p) {
		http.NewResponseController(c.ResponseWriter).Flush()
		err = http.ErrAbortHandler
	}
	return n, err
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

func escapePath(s string) string { return (&url.URL{Path: s}).EscapedPath() }
