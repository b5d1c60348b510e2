package atomicfile

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gomamba/gomamba/internal/lazy"
)

// A temporary is called
//
//	.gomamba-<pid>-<machine>-<random>.tmp          an output in the making
//	.gomamba-<pid>-<machine>-<random>.old.<name>   a directory <name> about to be replaced
//
// so that another process knows whose it is.
var tempPattern = lazy.Regexp(`^\.gomamba-([1-9][0-9]*)-([0-9a-f]{8})-[0-9a-f]{16}\.(?:tmp|old\.(.+))$`)

// machine distinguishes process ids of different machines and containers, which may share a folder.
var machine = sync.OnceValue(func() string {
	h := fnv.New32a()
	name, _ := os.Hostname()                     // empty will do
	space, _ := os.Readlink("/proc/self/ns/pid") // Linux: the namespace that the ids belong to
	fmt.Fprintf(h, "%s %s", name, space)
	return fmt.Sprintf("%08x", h.Sum32())
})

// prefix starts the name of a new temporary in the destination's folder.
func (t target) prefix() string {
	var random [8]byte
	rand.Read(random[:]) // never fails
	return filepath.Join(t.parent, fmt.Sprintf(".gomamba-%d-%s-%s", os.Getpid(), machine(), hex.EncodeToString(random[:])))
}

func (t target) tempName() string  { return t.prefix() + ".tmp" }
func (t target) asideName() string { return t.prefix() + ".old." + filepath.Base(t.abs) }

// removeStale removes the temporaries in dir whose process is gone. It is a favour: what cannot be removed stays.
func removeStale(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		m := tempPattern().FindStringSubmatch(e.Name())
		if m == nil || m[2] != machine() {
			continue
		}
		pid, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil || alive(int(pid)) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if m[3] != "" && filepath.IsLocal(m[3]) && system.newDir(path, filepath.Join(dir, m[3])) == nil {
			continue // its replacement never arrived: it is back
		}
		os.RemoveAll(path)
	}
}
