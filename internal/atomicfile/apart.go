package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gomamba/gomamba/internal/files"
)

// Apart refuses a destination that is one of the sources, lies inside one, or holds one, whatever links, dots or
// second names lead there: files are the same when the system says so, never by their names. Sources must exist; the
// destination need not, but its folder must.
func Apart(dst string, sources ...string) error {
	d, err := newPlace(dst)
	if err != nil {
		return err
	}
	for _, src := range sources {
		if files.InMemory(src) {
			continue
		}
		if err := d.apart(src); err != nil {
			return err
		}
	}
	return nil
}

// place is a destination and what is there.
type place struct {
	path   string // as given
	parent string // its folder, independent of links
	there  fs.FileInfo
	holds  []entry // of a folder
}

// entry is a file in a folder, behind whatever link.
type entry struct {
	path string
	info fs.FileInfo
}

func newPlace(dst string) (*place, error) {
	abs, err := filepath.Abs(dst)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dst, err)
	}
	if err := checkParent(dst, filepath.Dir(abs)); err != nil {
		return nil, err
	}
	d := &place{path: dst}
	if d.parent, err = filepath.EvalSymlinks(filepath.Dir(abs)); err != nil {
		return nil, fmt.Errorf("%s: %w", dst, err)
	}
	d.there, err = os.Stat(abs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dst, err)
	}
	if d.there == nil || !d.there.IsDir() {
		return d, nil
	}
	entries, err := os.ReadDir(abs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dst, err)
	}
	for _, e := range entries {
		path := filepath.Join(dst, e.Name())
		if info, err := os.Stat(path); err == nil { // a link that leads nowhere leads to no source
			d.holds = append(d.holds, entry{path, info})
		}
	}
	return d, nil
}

// apart refuses the destination if it is not apart from one source.
func (d *place) apart(src string) error {
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	absSrc, err := filepath.Abs(src)
	if err != nil {
		return fmt.Errorf("%s: %w", src, err)
	}
	real, err := filepath.EvalSymlinks(absSrc)
	if err != nil {
		return fmt.Errorf("%s: %w", src, err)
	}
	switch {
	case d.there != nil && os.SameFile(d.there, info):
		return fmt.Errorf("%s: is the source %s itself; choose another destination", d.path, src)
	case info.IsDir() && within(d.parent, info):
		return fmt.Errorf("%s: lies inside the source %s; choose a destination outside it", d.path, src)
	case d.there == nil || !d.there.IsDir():
		return nil
	case within(filepath.Dir(real), d.there), within(filepath.Dir(absSrc), d.there):
		return fmt.Errorf("%s: holds the source %s; choose another destination", d.path, src)
	}
	for _, e := range d.holds {
		if os.SameFile(e.info, info) {
			return fmt.Errorf("%s: is the source %s under another name; choose another destination than %s", e.path, src, d.path)
		}
	}
	return nil
}
