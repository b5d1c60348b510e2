package hub

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Verdict is what Verify found of one file.
type Verdict string

// What a file may be. Of the last kind are those for which a mirror announces no hash.
const (
	Matches   Verdict = "matches"
	Differs   Verdict = "differs"
	Missing   Verdict = "missing"
	Extra     Verdict = "extra"
	Unchecked Verdict = "unchecked"
)

// Verified is a file and what was found of it.
type Verified struct {
	File
	Verdict Verdict
	Detail  string // of one that differs: what was found and what the hub announces
}

// Verification is the outcome of Verify.
type Verification struct {
	Path   string // the folder of the files
	Commit string
	Files  []Verified // sorted by path
	Stale  error      // why the hub was not asked, if it should have been: hashes are those noted at the download
}

// Passed reports whether every file is there as the hub has it, and no other.
func (v *Verification) Passed() bool {
	return !slices.ContainsFunc(v.Files, func(f Verified) bool { return f.Verdict != Matches && f.Verdict != Unchecked })
}

// Verify compares the selected files on the disk, in the cache or in LocalDir, with the hashes that the hub announces:
// SHA-256 of large files, git's SHA-1 of others. If all files are selected, those that the hub does not list are found too.
// It changes nothing. Offline, or if the hub cannot be reached, the hashes are those that were noted at the download.
func (c *Client) Verify(ctx context.Context, req Request) (*Verification, error) {
	v, err := c.verify(ctx, req)
	if err == nil {
		v.Stale = c.discreet(v.Stale)
	}
	return v, c.discreet(err)
}

func (c *Client) verify(ctx context.Context, req Request) (*Verification, error) {
	all := req.Select == nil
	if err := req.check(); err != nil {
		return nil, err
	}
	l, stale, err := c.announced(ctx, req)
	if err != nil {
		return nil, err
	}
	to := c.place(req, l.Commit)
	if _, err := os.Stat(to.root()); err != nil {
		return nil, fmt.Errorf("%s: nothing of its commit %s is in %s: download it first", req.Repo, l.Commit, to.root())
	}
	req.Force = true // all that is selected counts, there or not
	res, err := plan(req, l, to)
	if err != nil {
		return nil, err
	}
	req.Plan(res)
	v := &Verification{Path: res.Path, Commit: l.Commit, Files: make([]Verified, len(res.Files)), Stale: stale}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(req.Workers, 2)) // a disk is read fastest so
	for i, f := range res.Files {
		group.Go(func() (err error) {
			v.Files[i], err = c.verifyFile(ctx, req, l.Commit, to, f, stale == nil && !c.Offline)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if all {
		v.Files = append(v.Files, extra(to, l)...)
	}
	slices.SortFunc(v.Files, func(a, b Verified) int { return strings.Compare(a.Path, b.Path) })
	return v, nil
}

// announced returns the listing of a revision from the hub, or else the one that was kept, and why.
func (c *Client) announced(ctx context.Context, req Request) (l *Listing, stale, err error) {
	if !c.Offline {
		l, err = c.list(ctx, req.Repo, req.Revision, func(string) *Listing { return nil })
		if err == nil || !unreachable(err) || ctx.Err() != nil {
			return l, nil, err
		}
		stale = err
	}
	store := c.cached(req.Repo)
	if commit, ok := store.commit(req.Revision); ok {
		if l := readTree(c.place(req, commit).trees(), req.Repo, commit); l != nil {
			return l, stale, nil
		}
	}
	if stale != nil {
		return nil, nil, stale
	}
	return nil, nil, c.notNear(req, "did not note the hashes of "+req.Revision)
}

// verifyFile compares one file with what is announced. ask says that the hub may be asked for a hash that its listing lacks.
func (c *Client) verifyFile(ctx context.Context, req Request, commit string, to place, f File, ask bool) (Verified, error) {
	v := Verified{File: f, Verdict: Matches}
	info, err := os.Stat(to.path(f.Path))
	switch {
	case err != nil, !info.Mode().IsRegular():
		v.Verdict = Missing
		return v, nil
	case f.Size >= 0 && info.Size() != f.Size:
		v.Verdict, v.Detail = Differs, fmt.Sprintf("has %d bytes, expected %d", info.Size(), f.Size)
		return v, nil
	}
	r := remote{File: f}
	if r.sum() == "" && ask {
		if r, err = c.stat(ctx, req.Repo, commit, f); err != nil {
			return v, err
		}
	}
	if r.sum() == "" {
		v.Verdict = Unchecked
		return v, nil
	}
	p, err := openPartial(ctx, to.path(f.Path), os.O_RDONLY)
	if err != nil {
		return v, err
	}
	defer p.f.Close() // it was only read
	wrong := p.check(ctx, r.sum())
	if ctx.Err() != nil {
		return v, context.Cause(ctx)
	}
	if wrong != nil {
		v.Verdict, v.Detail = Differs, wrong.Error()
	}
	req.Progress(f, info.Size())
	return v, nil
}

// extra lists what lies in the folder of a commit and is not of it. What downloads leave there does not count.
func extra(to place, l *Listing) (list []Verified) {
	listed := make(map[string]bool, len(l.Files))
	for _, f := range l.Files {
		listed[f.Path] = true
	}
	// What cannot be read is not there for us.
	filepath.WalkDir(to.root(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		rel, err := filepath.Rel(to.root(), path)
		name := filepath.ToSlash(rel)
		switch {
		case err != nil:
		case entry.IsDir() && (path == to.trees() || path == filepath.Join(to.root(), ".cache")):
			return filepath.SkipDir
		case !entry.IsDir() && !listed[name] && !strings.HasSuffix(name, ".incomplete"):
			list = append(list, Verified{File: File{Path: name, Size: -1}, Verdict: Extra})
		}
		return nil
	})
	return list
}
