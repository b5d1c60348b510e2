package hub

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/lazy"
	"github.com/gomamba/gomamba/internal/tags"
)

// Ref is a repository on the hub, as the argument of a command names it: OWNER/NAME, OWNER/NAME@REVISION, either with a
// :TAG behind it or OWNER/NAME/FILE.gguf for one of several GGUF files, or the address of its page or of a file in it.
type Ref struct {
	Repo, Revision string
	Tag            string // of one of its GGUF files; empty: none is named
	File           string // in the repository; empty: none is named
	Folder         string // in the repository; empty: its root, or that of File
}

// ParseRef reads the name of a model. ok is false for what can only be a path.
func ParseRef(arg string) (ref Ref, ok bool) {
	for _, host := range publicHosts { // as ollama has them before the name
		if rest, found := strings.CutPrefix(arg, host+"/"); found && strings.Contains(rest, "/") {
			arg = rest
		}
	}
	ref, ok = cutRef(arg)
	if parts := strings.SplitN(ref.Repo, "/", 3); len(parts) == 3 && path.Ext(parts[2]) == ".gguf" && checkPath(parts[2]) == nil {
		ref.Repo, ref.File = parts[0]+"/"+parts[1], parts[2]
	}
	switch path.Ext(ref.Repo) {
	case ".gguf", ".safetensors", ".bin", ".json", ".pt", ".pth":
		return Ref{}, false
	}
	ok = ok && strings.Count(ref.Repo, "/") == 1 && CheckRepo(ref.Repo) == nil && (ref.Revision == "" || checkRevision(ref.Revision) == nil) &&
		(ref.Tag == "" || ref.File == "")
	return ref, ok
}

// cutRef cuts NAME@REVISION:TAG, of which the latter two may be missing. ok is false for a tag that cannot be one.
func cutRef(arg string) (ref Ref, ok bool) {
	arg, tag, tagged := strings.Cut(arg, ":")
	ref.Repo, ref.Revision, _ = strings.Cut(arg, "@")
	ref.Tag = tag
	return ref, !tagged || tags.Valid(tag)
}

// ParseRepo reads what names a repository, or a file or folder of one: NAME, OWNER/NAME, either with @REVISION, :TAG or both,
// or an address as in ParseAddress.
func (c *Client) ParseRepo(arg string) (ref Ref, err error) {
	if IsAddress(arg) {
		return c.ParseAddress(arg)
	}
	ref, ok := cutRef(arg)
	if err = CheckRepo(ref.Repo); err == nil && strings.Contains(arg, "@") {
		err = checkRevision(ref.Revision)
	}
	if err == nil && !ok {
		err = fmt.Errorf("%s is not a tag such as Q4_K_M", badfile.Quote(ref.Tag))
	}
	return ref, err
}

// IsAddress reports whether an argument is an address of the web, and not a path or a name.
func IsAddress(arg string) bool {
	scheme, _, ok := strings.Cut(arg, "://")
	return ok && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http"))
}

// publicHosts are the hub's own, whose addresses a mirror answers for.
var publicHosts = []string{"huggingface.co", "www.huggingface.co", "hf.co"}

// ParseAddress reads the address of a model's page, or of a folder or file in it, on the hub or on the endpoint:
//
//	https://huggingface.co/OWNER/NAME
//	https://huggingface.co/OWNER/NAME/tree/REVISION/FOLDER
//	https://huggingface.co/OWNER/NAME/resolve/REVISION/FILE, or blob or raw in place of resolve
func (c *Client) ParseAddress(arg string) (ref Ref, err error) {
	bad := func(format string, args ...any) (Ref, error) {
		return Ref{}, fmt.Errorf("%s %s", badfile.Quote(withoutUser(c.clean(arg))), fmt.Sprintf(format, args...))
	}
	const expected = "expected OWNER/NAME, or the address of a model's page or file on the hub"
	at, err := url.Parse(arg)
	if err != nil {
		return bad("is not an address: %s", expected)
	}
	rest := strings.Trim(at.EscapedPath(), "/")
	if home, err := url.Parse(c.Endpoint); err == nil && strings.EqualFold(home.Host, at.Host) {
		rest = strings.Trim(strings.TrimPrefix("/"+rest, home.EscapedPath()), "/")
	} else if !slices.Contains(publicHosts, strings.ToLower(at.Host)) {
		return bad("is on %s, which is not the hub: %s, or download it and give its path", badfile.Quote(at.Host), expected)
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		if parts[i], err = url.PathUnescape(p); err != nil {
			return bad("is not an address: %s", expected)
		}
	}
	switch first := parts[0]; {
	case first == "datasets" || first == "spaces" || first == "collections" || first == "papers":
		return bad("is one of the hub's %s, not a model: %s", first, expected)
	case len(parts) < 2 || CheckRepo(parts[0]+"/"+parts[1]) != nil:
		return bad("names no model: %s", expected)
	}
	ref = Ref{Repo: parts[0] + "/" + parts[1]}
	if len(parts) == 2 {
		return ref, nil
	}
	revision, inside := splitRevision(parts[3:])
	ref.Revision = revision
	switch kind := parts[2]; {
	case revision == "" || checkRevision(revision) != nil || inside != "" && checkPath(inside) != nil:
		return bad("is a page of the hub that is not a model's: %s", expected)
	case kind == "tree":
		ref.Folder = inside
	case inside != "" && (kind == "resolve" || kind == "blob" || kind == "raw"):
		ref.File = inside
	default:
		return bad("is a page of the hub that is not a model's: %s", expected)
	}
	return ref, nil
}

// splitRevision takes the revision from the parts of a path that it begins. Those of pull requests and conversions have
// slashes, which addresses may have as they are.
func splitRevision(parts []string) (revision, rest string) {
	n := min(1, len(parts))
	if len(parts) >= 3 && parts[0] == "refs" && (parts[1] == "pr" || parts[1] == "convert") {
		n = 3
	}
	return strings.Join(parts[:n], "/"), strings.Join(parts[n:], "/")
}

// Locate returns the folder or file of a model: from the cache if it is complete there, without asking the hub, or else
// downloaded. plan is called with what will be fetched, before it is, and progress with how much of a file has arrived.
func (c *Client) Locate(ctx context.Context, ref Ref, choose Select, plan func(*Result), progress func(File, int64)) (string, error) {
	req := Request{Repo: ref.Repo, Revision: ref.Revision, Select: ref.selects(choose), Plan: plan, Progress: progress}
	if err := req.check(); err != nil {
		return "", err
	}
	req.sole = c.Offline
	res, err := c.near(ctx, req)
	if err != nil && !c.Offline {
		res, err = c.Download(ctx, req)
	}
	if err != nil {
		return "", err
	}
	inside := ref.Folder
	switch {
	case ref.File != "" && !shardPattern().MatchString(ref.File):
		inside = ref.File
	case path.Ext(res.Files[0].Path) == ".gguf": // a folder that holds GGUF files is opened by one of them, since it may hold others
		inside = res.Files[0].Path
	case ref.File != "":
		inside = path.Dir(ref.File)
	}
	return filepath.Join(res.Path, filepath.FromSlash(inside)), nil
}

// shardPattern is what the files of a split model are called.
var shardPattern = lazy.Regexp(`-[0-9]{5}-of-([0-9]{5})\.[a-z]+$`)

// selects returns what chooses the files that are needed: those that choose would in the folder that is meant, and the one
// that is named.
func (ref Ref) selects(choose Select) Select {
	if ref.Tag != "" {
		return tags.Choose(ref.Tag)
	}
	if path.Ext(ref.File) == ".gguf" {
		return ref.parts
	}
	dir := ref.Folder
	if ref.File != "" {
		dir = path.Dir(ref.File)
	}
	if ref.File == "" && dir == "" {
		return choose
	}
	return func(names []string) ([]string, error) {
		var there []string
		for _, name := range names {
			if rel, ok := strings.CutPrefix(name, dir+"/"); ok || dir == "." {
				there = append(there, rel)
			}
		}
		chosen, err := choose(there)
		if err != nil {
			return nil, err
		}
		for i := range chosen {
			chosen[i] = path.Join(dir, chosen[i])
		}
		if ref.File == "" || slices.Contains(chosen, ref.File) {
			return chosen, nil
		}
		named, err := Named([]string{ref.File})(names)
		return append(chosen, named...), err
	}
}

// parts selects the GGUF file that is named, or all parts of it.
func (ref Ref) parts(names []string) ([]string, error) {
	m := shardPattern().FindStringSubmatch(ref.File)
	if m == nil {
		return Named([]string{ref.File})(names)
	}
	stem := ref.File[:len(ref.File)-len(m[0])]
	var found []string
	for _, name := range names {
		if p := shardPattern().FindStringSubmatch(name); p != nil && p[1] == m[1] && name[:len(name)-len(p[0])] == stem {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return Named([]string{ref.File})(names)
	}
	slices.Sort(found)
	return found, nil
}

// Tags returns the tags of a repository in the cache, as far as the cache knows its files.
func (c *Client) Tags(repo string) []string {
	store := c.cached(repo)
	commit, ok := store.commit(DefaultRevision)
	if !ok {
		return nil
	}
	l := readTree(store.dir, repo, commit)
	if l == nil {
		l = onDisk(&snapshot{store, commit})
	}
	if l == nil {
		return nil
	}
	return tags.Of(l.Names())
}
