package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// What an answer in JSON may hold at most.
const (
	maxAnswer = 64 << 20
	maxPages  = 1000
)

// list asks for the files of a revision. The listing of a commit never changes, so one in the cache will do.
func (c *Client) list(ctx context.Context, repo, revision string, cached func(commit string) *Listing) (*Listing, error) {
	var info struct {
		SHA      string
		Siblings []struct{ RFilename string }
	}
	commit := revision
	api := c.Endpoint + "/api/models/" + repo
	if !commitPattern().MatchString(revision) {
		if _, err := c.getJSON(ctx, api+"/revision/"+url.PathEscape(revision), &info); err != nil {
			return nil, c.explain(err, repo, revision, "")
		}
		if commit = info.SHA; !commitPattern().MatchString(commit) {
			return nil, fmt.Errorf("%s named no commit for %s of %s; if HF_ENDPOINT is set, check that it is a hub", c.Site(), revision, repo)
		}
	}
	if l := cached(commit); l != nil {
		return l, nil
	}
	l, err := c.tree(ctx, repo, commit)
	if status, ok := errors.AsType[*statusError](err); ok && status.reason == "" && len(info.Siblings) > 0 &&
		(status.code == http.StatusNotFound || status.code == http.StatusMethodNotAllowed || status.code == http.StatusNotImplemented) {
		// A mirror without that part of the interface: names will do, the rest comes with each file.
		l = &Listing{Repo: repo, Commit: commit}
		for _, s := range info.Siblings {
			l.Files = append(l.Files, File{Path: s.RFilename, Size: -1})
		}
		return l, nil
	}
	return l, c.explain(err, repo, revision, "")
}

// tree asks for the files of a commit, page by page.
func (c *Client) tree(ctx context.Context, repo, commit string) (*Listing, error) {
	l := &Listing{Repo: repo, Commit: commit}
	next := c.Endpoint + "/api/models/" + repo + "/tree/" + commit + "?recursive=true&expand=false"
	for range maxPages {
		var entries []struct {
			Type    string
			Path    string
			Size    int64
			OID     string
			XetHash string
			LFS     *struct {
				OID  string
				Size int64
			}
		}
		header, err := c.getJSON(ctx, next, &entries)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Type != "file" {
				continue
			}
			f := File{Path: e.Path, Size: e.Size, BlobID: e.OID, Xet: e.XetHash}
			if e.LFS != nil {
				f.Size, f.SHA256 = e.LFS.Size, strings.TrimPrefix(e.LFS.OID, "sha256:")
			}
			l.Files = append(l.Files, f)
		}
		last := next
		switch next = nextPage(header.Get("Link"), last); next {
		case "":
			return l, nil
		case last:
			return nil, fmt.Errorf("%s lists the files of %s in a circle", c.Site(), repo)
		}
	}
	return nil, fmt.Errorf("%s lists the files of %s on more than %d pages", c.Site(), repo, maxPages)
}

// nextPage reads the header by which a hub says that there is more.
func nextPage(link, from string) string {
	for part := range strings.SplitSeq(link, ",") {
		address, rel, ok := strings.Cut(part, ";")
		if !ok || !strings.Contains(rel, `rel="next"`) {
			continue
		}
		base, err := url.Parse(from)
		if err != nil {
			return ""
		}
		next, err := base.Parse(strings.Trim(strings.TrimSpace(address), "<>"))
		if err != nil {
			return ""
		}
		return next.String()
	}
	return ""
}

// getJSON asks for a value in JSON.
func (c *Client) getJSON(ctx context.Context, address string, value any) (header http.Header, err error) {
	err = c.retrying(ctx, func() error {
		a, err := c.request(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		defer a.Close()
		data, err := io.ReadAll(io.LimitReader(a, maxAnswer+1))
		if err != nil {
			return err
		}
		host := a.Request.URL.Host
		if len(data) > maxAnswer {
			return fmt.Errorf("%s answered with more than %d bytes, which is not an answer of a hub", host, maxAnswer)
		}
		if err := json.Unmarshal(data, value); err != nil {
			return fmt.Errorf("%s did not answer as a hub does but with %s; if HF_ENDPOINT is set, check it, else the way to the network",
				host, badfile.Quote(begin(c.clean(string(data[:min(len(data), 400)])))))
		}
		header = a.Header
		return nil
	})
	return header, err
}

// begin returns what a text begins with.
func begin(text string) string { return text[:min(len(text), 40)] }

// remote is what the hub says about a file.
type remote struct {
	File
	commit string
	etag   string // the name of its blob
	url    string
}

// sum returns the hash by which the content is known, empty if there is none: the listing's, or an ETag that is one.
func (r *remote) sum() string {
	switch {
	case sha256Pattern().MatchString(r.SHA256):
		return r.SHA256
	case sha256Pattern().MatchString(r.etag):
		return r.etag
	case commitPattern().MatchString(r.BlobID):
		return r.BlobID
	case commitPattern().MatchString(r.etag):
		return r.etag
	}
	return ""
}

// blob names the content in the cache: by its hash, which is the ETag that the hub itself gives and huggingface_hub
// takes. An ETag that is not a hash may be that of any number of files, so it names this one only.
func (r *remote) blob() string {
	if sum := r.sum(); sum != "" {
		return sum
	}
	one := sha256.Sum256([]byte(r.commit + "/" + r.Path))
	return r.etag + "-" + hex.EncodeToString(one[:8])
}

// stat asks about one file of a revision. What the listing says about it fills the gaps.
func (c *Client) stat(ctx context.Context, repo, revision string, f File) (r remote, err error) {
	r = remote{File: f, url: c.Endpoint + "/" + repo + "/resolve/" + url.PathEscape(revision) + "/" + escape(f.Path)}
	err = c.retrying(ctx, func() error {
		a, err := c.request(ctx, http.MethodHead, r.url, nil)
		if err != nil {
			return err
		}
		r.commit, r.etag = a.commit, a.etag
		if a.size >= 0 && r.Size >= 0 && a.size != r.Size {
			err = fmt.Errorf("%s: the hub lists %d bytes and offers %d", f.Path, r.Size, a.size)
		}
		r.Size = max(r.Size, a.size)
		return errors.Join(err, a.Close())
	})
	switch {
	case err != nil:
		return r, c.explain(err, repo, revision, f.Path)
	case !commitPattern().MatchString(r.commit):
		return r, fmt.Errorf("%s named no commit for %s; if HF_ENDPOINT is set, check that it is a hub", c.Site(), f.Path)
	case !etagPattern().MatchString(r.etag), strings.HasSuffix(r.etag, ".incomplete"):
		return r, fmt.Errorf("%s named %s by %s, expected a hash", c.Site(), f.Path, badfile.Quote(r.etag))
	}
	return r, nil
}

// escape writes the path of a file for an address.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// tokenWays lists the ways to give a token.
func (c *Client) tokenWays() string {
	ways := "HF_TOKEN or hf auth login"
	if c.TokenHow != "" {
		ways = c.TokenHow + ", " + ways
	}
	return ways
}

// explain says in the user's terms why the hub refused.
func (c *Client) explain(err error, repo, revision, file string) error {
	status, ok := errors.AsType[*statusError](err)
	if !ok {
		if err != nil {
			err = fmt.Errorf("%s: %w", repo, err)
		}
		return err
	}
	how := "give a token (" + c.tokenWays() + ")"
	advice := "check the name; if it is private, " + how
	switch {
	case c.tokenRefused():
		advice = "check the name; if it is private, a valid token is needed: " + c.invalidToken()
	case c.Token != "":
		advice = "check the name, and that the token" + c.tokenFrom() + " may read it"
	}
	said := strings.ToLower(status.message)
	switch {
	case status.reason == "DisabledRepo", status.code == http.StatusForbidden && strings.Contains(said, "disabled"):
		return fmt.Errorf("%s: the hub has disabled access to it: %w", repo, status)
	case status.reason == "GatedRepo":
		advice = "accept its terms at " + c.Site() + "/" + repo + ", and give a token of that account (" + c.tokenWays() + ")"
		if c.tokenRefused() {
			advice += "; " + c.invalidToken()
		}
		return fmt.Errorf("%s: access is restricted: %s: %w", repo, advice, status)
	case status.code == http.StatusForbidden && c.Token != "":
		return fmt.Errorf("%s: the hub refuses access; check what the token%s may read: %w", repo, c.tokenFrom(), status)
	case status.code == http.StatusForbidden:
		return fmt.Errorf("%s: the hub refuses access; %s: %w", repo, how, status)
	case status.code == http.StatusUnauthorized && status.token && status.reason == "":
		return fmt.Errorf("%s: %s; without it, the hub does not show this repository; get a token at %s/settings/tokens: %w",
			repo, c.invalidToken(), c.Site(), status)
	case status.reason == "RevisionNotFound":
		return fmt.Errorf("%s: does not have the revision %s: %w", repo, badfile.Quote(revision), status)
	case status.reason == "EntryNotFound", status.code == http.StatusNotFound && file != "" && status.reason == "":
		return fmt.Errorf("%s: does not have the file %s at %s: %w", repo, badfile.Quote(file), revision, status)
	case status.reason == "RepoNotFound", status.code == http.StatusUnauthorized, status.code == http.StatusNotFound:
		return fmt.Errorf("%s: no such repository on the hub; %s: %w", repo, advice, status)
	}
	return fmt.Errorf("%s: %w", repo, status)
}
