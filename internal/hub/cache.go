package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
)

// cached is a repository in the cache.
type cached struct {
	c    *Client
	repo string
	dir  string // models--OWNER--NAME
}

func (c *Client) cached(repo string) cached {
	return cached{c, repo, filepath.Join(c.Cache, "models--"+strings.ReplaceAll(repo, "/", "--"))}
}

func (s cached) snapshot(commit string) string { return filepath.Join(s.dir, "snapshots", commit) }
func (s cached) blob(name string) string       { return filepath.Join(s.dir, "blobs", name) }

// commit returns the commit of a revision, as far as the cache knows.
func (s cached) commit(revision string) (string, bool) {
	if commitPattern().MatchString(revision) {
		return revision, true
	}
	data, err := os.ReadFile(filepath.Join(s.dir, "refs", filepath.FromSlash(revision)))
	commit := strings.TrimSpace(string(data))
	return commit, err == nil && commitPattern().MatchString(commit)
}

// setCommit notes which commit a revision is.
func (s cached) setCommit(revision, commit string) error {
	if known, ok := s.commit(revision); ok && known == commit {
		return nil
	}
	return writeFile(filepath.Join(s.dir, "refs", filepath.FromSlash(revision)), []byte(commit))
}

// at returns the place of a commit's files.
func (s cached) at(commit string) place { return &snapshot{s, commit} }

// snapshot is a commit's folder in the cache.
type snapshot struct {
	cached
	commit string
}

func (s *snapshot) root() string { return s.snapshot(s.commit) }

func (s *snapshot) trees() string { return s.dir }

func (s *snapshot) path(name string) string { return filepath.Join(s.root(), filepath.FromSlash(name)) }

func (s *snapshot) has(f File) bool { return isFile(s.path(f.Path), f.Size) }

func (s *snapshot) adopt(ctx context.Context, r remote) (bool, error) {
	if r.sum() == "" || !isFile(s.blob(r.blob()), r.Size) {
		return false, nil
	}
	if same, err := holds(ctx, s.blob(r.blob()), r.sum()); !same || err != nil {
		return false, err
	}
	return true, s.link(ctx, r, false)
}

func (s *snapshot) partial(r remote) (path, lock string) {
	return s.blob(r.blob()) + ".incomplete", filepath.Join(s.c.Cache, ".locks", filepath.Base(s.dir), r.blob()+".lock")
}

func (s *snapshot) finish(ctx context.Context, r remote, path string) error {
	if err := os.Rename(path, s.blob(r.blob())); err != nil {
		return err
	}
	tagCache(s.c.Cache)
	return s.link(ctx, r, true)
}

// link makes a snapshot's file the blob: a relative link, so that the cache can be moved. If links are not possible, a
// blob that was just made is moved, and one that others may use is copied.
func (s *snapshot) link(ctx context.Context, r remote, fresh bool) error {
	path := s.path(r.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(path), s.blob(r.blob()))
	if err == nil && !s.c.NoLinks {
		if err = os.Symlink(target, path); err == nil || errors.Is(err, fs.ErrExist) {
			return nil // by this process or one beside it
		}
	}
	if fresh {
		return os.Rename(s.blob(r.blob()), path)
	}
	return copyFile(ctx, s.blob(r.blob()), path)
}

// isFile reports whether a file is there and of that size, if one is known. Links are followed.
func isFile(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// writeFile writes a small file in one step for all who read it.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	temp := fmt.Sprintf("%s.%08x.tmp", path, rand.Uint32())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// copyFile copies a file; the copy appears when it is complete.
func copyFile(ctx context.Context, from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	temp := to + ".incomplete"
	dst, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, &reader{ctx, src})
	err = errors.Join(err, atomicfile.Sync(dst), dst.Close())
	if err == nil {
		err = os.Rename(temp, to)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// tagCache marks a folder as a cache, which programs that make backups leave out (bford.info/cachedir).
func tagCache(dir string) {
	const tag = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder can be downloaded again.\n"
	f, err := os.OpenFile(filepath.Join(dir, "CACHEDIR.TAG"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return // it is there, or it is but a courtesy
	}
	f.WriteString(tag)
	f.Close()
}

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 100 * time.Millisecond

// lock waits until no other process writes what path stands for.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetPermissions(0o664))
	if _, err := l.TryLockContext(ctx, lockPoll); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		// Some network file systems do not have locks. Whatever happens then, only what has the right hash gets its name.
		if errors.Is(err, errors.ErrUnsupported) {
			return func() {}, nil
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { l.Unlock() }, nil
}

// Repos returns the repositories of which the cache holds anything, sorted.
func (c *Client) Repos() (repos []string) {
	// A cache that is not there is empty.
	for _, dir := range filenames.In(c.Cache, "models--*") {
		repo := strings.ReplaceAll(strings.TrimPrefix(filepath.Base(dir), "models--"), "--", "/")
		if _, err := os.Lstat(filepath.Join(dir, "snapshots")); err == nil && CheckRepo(repo) == nil {
			repos = append(repos, repo)
		}
	}
	return repos
}
