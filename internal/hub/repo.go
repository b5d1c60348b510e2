package hub

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/lazy"
)

// DefaultRevision is the branch that is meant when none is named.
const DefaultRevision = "main"

var (
	repoPattern   = lazy.Regexp(`^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$`)
	commitPattern = lazy.Regexp(`^[0-9a-f]{40}$`)
	sha256Pattern = lazy.Regexp(`^[0-9a-f]{64}$`)
	etagPattern   = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._=+-]{0,199}$`)
)

// maxRepo is how long the hub lets a repository's name be.
const maxRepo = 96

// CheckRepo says what is wrong with the name of a repository: "owner/name", or "name" for a few old ones.
func CheckRepo(repo string) error {
	parts := strings.Split(repo, "/")
	bad := len(parts) > 2 || len(repo) > maxRepo || strings.Contains(repo, "--") || strings.Contains(repo, "..") ||
		strings.HasSuffix(repo, ".git")
	for _, p := range parts {
		bad = bad || !repoPattern().MatchString(p)
	}
	if bad {
		return fmt.Errorf("%s is not the name of a repository on the hub: expected OWNER/NAME", badfile.Quote(repo))
	}
	return nil
}

// checkRevision refuses a revision that could not be the name of a file below refs, or that leads elsewhere in an address.
func checkRevision(revision string) error {
	if err := checkPath(revision); err != nil || len(revision) > 255 {
		return fmt.Errorf("%s is not a revision: expected a branch, a tag or a commit", badfile.Quote(revision))
	}
	return nil
}

// checkPath refuses the name of a file in a repository that could lead out of the folder it is put into, on this or
// another system: absolute, with "..", a drive letter, a backslash or a control character.
func checkPath(name string) error {
	unsafe := name == "" || len(name) > 4096 || name != path.Clean(name) || path.IsAbs(name) ||
		name == "." || name == ".." || strings.HasPrefix(name, "../") || !filepath.IsLocal(filepath.FromSlash(name)) ||
		strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || r == ':' || r < 0x20 || r == 0x7f || r == 0xfffd })
	if unsafe {
		return fmt.Errorf("the repository holds a file named %s, which is refused: it could be written outside its folder",
			badfile.Quote(name))
	}
	return nil
}

// File is a file of a repository as the hub lists it.
type File struct {
	Path   string // relative, with slashes
	Size   int64  // bytes; -1 if not known
	BlobID string // git's SHA-1 of what git stores: the file, or the pointer to a large one
	SHA256 string // of a large file; else empty
	Xet    string // the hub's own hash of a large file, kept for huggingface_hub; may be empty
}

// Listing are the files of one commit of a repository.
type Listing struct {
	Repo   string
	Commit string
	Files  []File
}

// Names returns the paths of all files.
func (l *Listing) Names() []string {
	names := make([]string, len(l.Files))
	for i, f := range l.Files {
		names[i] = f.Path
	}
	return names
}
