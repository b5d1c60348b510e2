package hub

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// folder is a plain folder that files are put into. What they are is noted under .cache/huggingface, as
// huggingface_hub does (2.4, _local_folder.py):
//
//	download/FILE.metadata   commit, hash and time, one a line
//	download/FILE.lock       held by the process that writes the file
type folder struct {
	dir    string
	commit string
	cache  place // may have the file already
}

func (d *folder) root() string { return d.dir }

func (d *folder) trees() string { return filepath.Join(d.dir, ".cache", "huggingface") }

func (d *folder) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// note returns the path of a file's note, with another ending than .metadata if one is given.
func (d *folder) note(name, ending string) string {
	return filepath.Join(d.trees(), "download", filepath.FromSlash(name)+ending)
}

func (d *folder) has(f File) bool {
	commit, _, ok := d.noted(f.Path)
	return ok && commit == d.commit && isFile(d.path(f.Path), f.Size)
}

// noted reads what a file was when it was downloaded, unless it changed since.
func (d *folder) noted(name string) (commit, etag string, ok bool) {
	data, err := os.ReadFile(d.note(name, ".metadata"))
	if err != nil {
		return "", "", false
	}
	lines := strings.Split(string(data), "\n")
	info, err := os.Stat(d.path(name))
	if err != nil || len(lines) < 3 {
		return "", "", false
	}
	seconds, err := strconv.ParseFloat(lines[2], 64)
	if err != nil || float64(info.ModTime().UnixNano())/1e9-1 > seconds { // times of files may be coarse
		return "", "", false
	}
	return lines[0], lines[1], true
}

func (d *folder) adopt(ctx context.Context, r remote) (bool, error) {
	if isFile(d.path(r.Path), r.Size) {
		commit, etag, noted := d.noted(r.Path)
		same := noted && etag == r.etag && (r.sum() == etag || r.sum() == "" && commit == d.commit)
		if !same && r.sum() != "" { // it came another way, or its ETag is not its hash
			var err error
			if same, err = holds(ctx, d.path(r.Path), r.sum()); err != nil {
				return false, err
			}
		}
		if same {
			return true, d.keep(r)
		}
	}
	if !d.cache.has(r.File) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(d.path(r.Path)), 0o777); err != nil {
		return false, err
	}
	if err := copyFile(ctx, d.cache.path(r.Path), d.path(r.Path)); err != nil {
		return false, err
	}
	return true, d.keep(r)
}

func (d *folder) partial(r remote) (path, lock string) {
	note := d.note(r.Path, ".metadata")
	short := sha1.Sum([]byte(filepath.Base(note)))
	path = filepath.Join(filepath.Dir(note), base64.URLEncoding.EncodeToString(short[:])+"."+r.blob()+".incomplete")
	return path, d.note(r.Path, ".lock")
}

func (d *folder) finish(_ context.Context, r remote, path string) error {
	if err := os.MkdirAll(filepath.Dir(d.path(r.Path)), 0o777); err != nil {
		return err
	}
	if err := os.Rename(path, d.path(r.Path)); err != nil {
		return err
	}
	return d.keep(r)
}

// keep notes what a file is.
func (d *folder) keep(r remote) error {
	now := float64(time.Now().UnixNano()) / 1e9
	if err := writeFile(d.note(r.Path, ".metadata"), fmt.Appendf(nil, "%s\n%s\n%f\n", d.commit, r.etag, now)); err != nil {
		return err
	}
	tagCache(d.trees())
	ignore := filepath.Join(d.trees(), ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	return writeFile(ignore, []byte("*"))
}

// checkNote refuses a file that would lie among the notes.
func checkNote(f File) error {
	if f.Path == ".cache" || strings.HasPrefix(f.Path, ".cache/") {
		return fmt.Errorf("the repository holds a file named %q, which is refused: notes about downloads are kept there", f.Path)
	}
	return nil
}
