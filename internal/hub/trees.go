package hub

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// treeFile is the listing of a commit as huggingface_hub keeps it (2.4, _tree_cache.py).
type treeFile struct {
	FormatVersion int                  `json:"format_version"`
	Files         map[string]treeEntry `json:"files"`
}

type treeEntry struct {
	Size      int64  `json:"size"`
	BlobID    string `json:"blob_id"`
	LFSSHA256 string `json:"lfs_sha256,omitempty"`
	LFSSize   int64  `json:"lfs_size,omitempty"`
	XetHash   string `json:"xet_hash,omitempty"`
}

const treeVersion = 1

// readTree returns the listing of a commit that is kept in a folder, or nil.
func readTree(dir, repo, commit string) *Listing {
	data, err := jsonobj.ReadFile(treePath(dir, commit), maxAnswer)
	if err != nil {
		return nil
	}
	var t treeFile
	if err := json.Unmarshal(data, &t); err != nil || t.FormatVersion != treeVersion {
		return nil
	}
	l := &Listing{Repo: repo, Commit: commit}
	for name, e := range t.Files {
		l.Files = append(l.Files, File{Path: name, Size: e.Size, BlobID: e.BlobID, SHA256: e.LFSSHA256, Xet: e.XetHash})
	}
	l.sort()
	return l
}

// writeTree keeps a listing whose sizes and hashes are known.
func writeTree(dir string, l *Listing) error {
	t := treeFile{FormatVersion: treeVersion, Files: map[string]treeEntry{}}
	for _, f := range l.Files {
		if f.Size < 0 || f.BlobID == "" {
			return nil
		}
		e := treeEntry{Size: f.Size, BlobID: f.BlobID, LFSSHA256: f.SHA256, XetHash: f.Xet}
		if f.SHA256 != "" {
			e.LFSSize = f.Size
		}
		t.Files[f.Path] = e
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(t); err != nil {
		return err
	}
	return writeFile(treePath(dir, l.Commit), text.Bytes())
}

func treePath(dir, commit string) string { return filepath.Join(dir, "trees", commit+".json") }

// onDisk lists the files of a snapshot whose listing is not kept: what is there, or nil if nothing is.
func onDisk(s *snapshot) *Listing {
	l := &Listing{Repo: s.repo, Commit: s.commit}
	// What cannot be read is not there for us.
	filepath.WalkDir(s.root(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		info, err := os.Stat(path)
		rel, rerr := filepath.Rel(s.root(), path)
		if err == nil && rerr == nil && info.Mode().IsRegular() && !strings.HasSuffix(rel, ".incomplete") {
			l.Files = append(l.Files, File{Path: filepath.ToSlash(rel), Size: info.Size()})
		}
		return nil
	})
	if len(l.Files) == 0 {
		return nil
	}
	l.sort()
	return l
}
