package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Apart refuses a destination that is one of the sources, lies inside one, or holds one, whatever links, dots or
// second names lead there. Sources must exist; the destination need not, but its folder must.
func Apart(dst string, sources ...string) error {
	abs, err := filepath.Abs(dst)
	if err != nil {
		return fmt.Errorf("%s: %w", dst, err)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return fmt.Errorf("%s: %w", dst, err)
	}
	there, err := os.Stat(abs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", dst, err)
	}
	for _, src := range sources {
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
		case there != nil && os.SameFile(there, info):
			return fmt.Errorf("%s: is the source %s itself; choose another destination", dst, src)
		case info.IsDir() && within(parent, info):
			return fmt.Errorf("%s: lies inside the source %s; choose a destination outside it", dst, src)
		case there != nil && there.IsDir() && (within(filepath.Dir(real), there) || within(filepath.Dir(absSrc), there)):
			return fmt.Errorf("%s: holds the source %s; choose another destination", dst, src)
		}
	}
	return nil
}
