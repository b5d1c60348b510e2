package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
)

// Request says what to download.
type Request struct {
	Repo     string
	Revision string // branch, tag or commit; empty: DefaultRevision
	Select   Select // nil: all files
	LocalDir string // put the files into this folder instead of the cache
	Force    bool   // fetch what is there already, too
	DryRun   bool   // stop before the first file
	Workers  int    // files at a time; 0: 8

	// sole accepts from the cache what makes a whole by itself, though the repository holds something better.
	sole bool

	// Plan is called with what will be fetched, before it is.
	Plan func(*Result)
	// Progress is called, from many goroutines, with how much of a file has arrived.
	Progress func(f File, done int64)
}

// Result is what a download made, or would make.
type Result struct {
	Path    string // the folder of the files
	Commit  string
	Files   []File // those selected
	Missing []File // those of them that were not there yet

	// Stale says why the hub was not asked, if it should have been: the files are those that the cache had.
	Stale error
}

// Bytes is the size of what was missing, as far as known.
func (r *Result) Bytes() (n int64) {
	for _, f := range r.Missing {
		n += max(f.Size, 0)
	}
	return n
}

// place is where the files of a commit go.
type place interface {
	root() string
	trees() string                                           // folder in which listings are kept
	path(name string) string                                 // of a file
	has(f File) bool                                         // whether it is there; the hub need not be asked
	adopt(ctx context.Context, r remote) (bool, error)       // take it from somewhere near, if possible
	partial(r remote) (path, lock string)                    // where it may grow, and the lock for that
	finish(ctx context.Context, r remote, path string) error // give what has grown its place
}

const defaultWorkers = 8

// check fills in what was left out and refuses what makes no sense.
func (req *Request) check() error {
	if err := CheckRepo(req.Repo); err != nil {
		return err
	}
	req.Revision = first(req.Revision, DefaultRevision)
	if req.Select == nil {
		req.Select = Matching(nil, nil)
	}
	if req.Workers <= 0 {
		req.Workers = defaultWorkers
	}
	if req.Plan == nil {
		req.Plan = func(*Result) {}
	}
	if req.Progress == nil {
		req.Progress = func(File, int64) {}
	}
	return checkRevision(req.Revision)
}

// Download makes the selected files of a repository be there. What is there already is not fetched again. If the hub
// cannot be reached and the cache has all of it, that will do, and Result.Stale says so.
// Errors name the repository, and the file if it is about one.
func (c *Client) Download(ctx context.Context, req Request) (*Result, error) {
	res, err := c.download(ctx, req)
	if err == nil {
		res.Stale = c.discreet(res.Stale)
	}
	return res, c.discreet(err)
}

func (c *Client) download(ctx context.Context, req Request) (*Result, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	if c.Offline {
		return c.near(ctx, req)
	}
	store := c.cached(req.Repo)
	l, err := c.list(ctx, req.Repo, req.Revision, func(commit string) *Listing {
		return readTree(c.place(req, commit).trees(), req.Repo, commit)
	})
	if err != nil {
		if unreachable(err) && ctx.Err() == nil && !req.Force {
			if res, nearErr := c.near(ctx, req); nearErr == nil {
				res.Stale = err
				return res, nil
			}
		}
		return nil, err
	}
	to := c.place(req, l.Commit)
	res, err := plan(req, l, to)
	if err != nil {
		return nil, err
	}
	req.Plan(res)
	if req.DryRun {
		return res, nil
	}
	if len(res.Missing) > 0 {
		if err := c.fetchAll(ctx, req, l, to, res); err != nil {
			return nil, err
		}
	}
	if req.LocalDir == "" {
		// A cache that cannot be written has the files all the same.
		if err := store.setCommit(req.Revision, l.Commit); err != nil && len(res.Missing) > 0 {
			return nil, err
		}
	}
	return res, nil
}

// place is where a request wants a commit's files.
func (c *Client) place(req Request, commit string) place {
	snap := c.cached(req.Repo).at(commit)
	if req.LocalDir == "" {
		return snap
	}
	return &folder{req.LocalDir, commit, snap}
}

// plan selects the files and sees which are missing.
func plan(req Request, l *Listing, to place) (*Result, error) {
	names, err := req.Select(l.Names())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.Repo, err)
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	res := &Result{Path: to.root(), Commit: l.Commit}
	for _, f := range l.Files {
		if !wanted[f.Path] {
			continue
		}
		delete(wanted, f.Path) // a file that is listed twice is fetched once
		err := checkPath(f.Path)
		if err == nil && req.LocalDir != "" {
			err = checkNote(f)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", req.Repo, err)
		}
		res.Files = append(res.Files, f)
		if req.Force || !to.has(f) {
			res.Missing = append(res.Missing, f)
		}
	}
	return res, nil
}

// fetchAll fetches what is missing, several files at a time. The first failure ends all; what has arrived stays.
func (c *Client) fetchAll(ctx context.Context, req Request, l *Listing, to place, res *Result) error {
	base := c.Cache
	if req.LocalDir != "" {
		base = req.LocalDir
	}
	if err := os.MkdirAll(base, 0o777); err != nil {
		return err
	}
	if free, ok := atomicfile.FreeSpace(base); ok && uint64(res.Bytes()) > free {
		return fmt.Errorf("%s: %d bytes are missing, the disk of %s has %d free", req.Repo, res.Bytes(), base, free)
	}
	// Without the listing the files are just as good.
	_ = writeTree(to.trees(), l)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(req.Workers)
	for _, f := range res.Missing {
		group.Go(func() error {
			r, err := c.stat(ctx, req.Repo, l.Commit, f)
			if err != nil {
				return err
			}
			if err := c.fetchFile(ctx, req, r, to); err != nil {
				return fmt.Errorf("%s: %w", req.Repo, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// fetchFile makes one file be there.
func (c *Client) fetchFile(ctx context.Context, req Request, r remote, to place) error {
	adopt := func() (bool, error) {
		if req.Force {
			return false, nil
		}
		there, err := to.adopt(ctx, r)
		if there && err == nil {
			req.Progress(r.File, r.Size)
		}
		return there, err
	}
	if there, err := adopt(); there || err != nil {
		return err
	}
	path, lockPath := to.partial(r)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	unlock, err := lock(ctx, lockPath)
	if err != nil {
		return err
	}
	defer unlock()
	if there, err := adopt(); there || err != nil { // another process had the lock, and was fetching it
		return err
	}
	if err := c.fetch(ctx, r, path, func(done int64) { req.Progress(r.File, done) }); err != nil {
		return err
	}
	return to.finish(ctx, r, path)
}

// near answers a request from the disk alone.
func (c *Client) near(ctx context.Context, req Request) (*Result, error) {
	store := c.cached(req.Repo)
	commit, ok := store.commit(req.Revision)
	if !ok {
		return nil, c.notNear(req, "does not have the revision "+badfile.Quote(req.Revision)+" of it")
	}
	snap := &snapshot{store, commit}
	var res *Result
	var missing []string
	var err error
	if l := readTree(store.dir, req.Repo, commit); l != nil {
		if res, missing, err = c.nearOf(ctx, req, l, snap); err == nil && len(missing) == 0 {
			return res, nil
		}
		if !req.sole {
			return nil, errors.Join(err, c.lacking(req, missing))
		}
	}
	l := onDisk(snap)
	if l == nil {
		return nil, c.notNear(req, "does not have a file of its commit "+commit)
	}
	res, lacks, err := c.nearOf(ctx, req, l, snap)
	if err != nil {
		return nil, c.notNear(req, "has only "+some(l.Names())+" of it")
	}
	if lacks = append(lacks, missingShards(snap, res.Files)...); len(lacks) > 0 {
		return nil, c.lacking(req, lacks)
	}
	return res, nil
}

// nearOf selects from a listing and returns the names of what is not on the disk.
func (c *Client) nearOf(ctx context.Context, req Request, l *Listing, snap *snapshot) (res *Result, missing []string, err error) {
	if res, err = plan(req, l, c.place(req, l.Commit)); err != nil {
		return nil, nil, err
	}
	lacks := res.Missing
	if req.LocalDir != "" {
		if lacks, err = copyNear(ctx, req, snap, l.Commit, lacks); err != nil {
			return nil, nil, err
		}
	}
	for _, f := range lacks {
		missing = append(missing, f.Path)
	}
	return res, missing, nil
}

// lacking says which files are not on the disk.
func (c *Client) lacking(req Request, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return c.notNear(req, "lacks "+some(names))
}

// notNear says why the disk alone does not do.
func (c *Client) notNear(req Request, why string) error {
	return fmt.Errorf("%s: the cache %s %s, and HF_HUB_OFFLINE forbids to ask the hub", req.Repo, c.Cache, why)
}

// copyNear takes files from the cache into a folder and returns those that the cache does not have either.
func copyNear(ctx context.Context, req Request, snap *snapshot, commit string, files []File) (missing []File, err error) {
	to := &folder{req.LocalDir, commit, snap}
	for _, f := range files {
		blob, err := filepath.EvalSymlinks(snap.path(f.Path))
		if err != nil {
			missing = append(missing, f)
			continue
		}
		if _, err := to.adopt(ctx, remote{File: f, commit: commit, etag: filepath.Base(blob)}); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// some lists the first few names for a message.
func some(names []string) string { return cmp.Or(badfile.QuoteList(names), "nothing") }

func (l *Listing) sort() {
	slices.SortFunc(l.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}
