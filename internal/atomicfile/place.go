package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// placer moves a finished temporary to its destination with what the system offers.
// Its fields are fields only so that tests can take a system that offers less.
type placer struct {
	// renameNew renames without ever replacing: fs.ErrExist if the destination is taken.
	renameNew func(from, to string) error
	// exchange swaps two existing names.
	exchange func(a, b string) error
	// renameOver renames a directory onto an empty one.
	renameOver func(from, to string) error
	// link gives a file a second name: fs.ErrExist if it is taken.
	link func(from, to string) error
	// Each is one step for everyone who looks, and fails with errors.ErrUnsupported, having done nothing, where the
	// system or the file system does not have it.
}

// system is the placer of the platform.
var system = placer{renameNew, exchange, renameOver, os.Link}

// placeFile gives the file temp the name dst.
func (p placer) placeFile(temp, dst string, force bool) error {
	if force {
		return os.Rename(temp, dst)
	}
	err := p.renameNew(temp, dst)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// A second name for the file is given in one step as well, and never replaces one.
	err = p.link(temp, dst)
	if err == nil {
		return os.Remove(temp)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	// No links either (FAT): take the name with an empty file, then replace that.
	claim, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if err = claim.Close(); err == nil {
		err = os.Rename(temp, dst)
	}
	if err != nil {
		os.Remove(dst)
	}
	return err
}

// placeDir gives the directory temp the name dst. What had that name, if anything, is then at old, to be removed;
// aside is a free name for it.
func (p placer) placeDir(temp, dst, aside string, force bool) (old string, err error) {
	err = p.newDir(temp, dst)
	if !force || !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	err = p.exchange(temp, dst)
	if !errors.Is(err, errors.ErrUnsupported) {
		return temp, err
	}
	// Two steps: for a moment nothing is at dst. Should the process die there, the next output to this folder puts
	// aside back, by its name.
	if err := os.Rename(dst, aside); err != nil {
		return "", err
	}
	if err := p.newDir(temp, dst); err != nil {
		if backErr := p.newDir(aside, dst); backErr != nil {
			err = fmt.Errorf("%w (and what was there before is now at %s: %v)", err, aside, backErr)
		}
		return "", err
	}
	return aside, nil
}

// newDir renames a directory to a name that must be free.
func (p placer) newDir(from, to string) error {
	err := p.renameNew(from, to)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// Creating a directory takes the name in one step, and an empty one may be renamed over.
	if err := os.Mkdir(to, 0o777); err != nil {
		return err
	}
	if err := p.renameOver(from, to); err != nil {
		os.Remove(to)
		return err
	}
	return nil
}
