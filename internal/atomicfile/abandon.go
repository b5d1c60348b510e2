package atomicfile

import (
	"errors"
	"os"
	"sync"
)

// unfinished are the temporaries of this process.
var unfinished struct {
	sync.Mutex
	paths     map[string]bool
	abandoned bool
}

var errAbandoned = errors.New("given up")

// Abandon removes the temporaries of all outputs in the making. It is for a process that ends while others of its
// goroutines are at work: an output that is being put in its place gets there first, later ones never do.
func Abandon() {
	unfinished.Lock()
	defer unfinished.Unlock()
	unfinished.abandoned = true
	for path := range unfinished.paths {
		os.RemoveAll(path) // what cannot be removed is left to the next output to the folder
	}
}

// begun notes a temporary.
func begun(path string) {
	unfinished.Lock()
	defer unfinished.Unlock()
	if unfinished.paths == nil {
		unfinished.paths = map[string]bool{}
	}
	unfinished.paths[path] = true
}

// ended forgets a temporary that is gone.
func ended(path string) {
	unfinished.Lock()
	defer unfinished.Unlock()
	delete(unfinished.paths, path)
}

// placing puts an output in its place, unless it was abandoned.
func placing(put func() error) error {
	unfinished.Lock()
	defer unfinished.Unlock()
	if unfinished.abandoned {
		return errAbandoned
	}
	return put()
}
