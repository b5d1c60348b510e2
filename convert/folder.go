package convert

import (
	"bytes"
	"cmp"
	"errors"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
)

// stage fills a folder that appears at dst when it is complete and synced, or not at all.
func stage(dst string, need int64, opts Options, fill func(dir *atomicfile.Dir) error) error {
	dir, err := atomicfile.CreateDir(dst, atomicfile.Options{Replace: opts.replaces(replaceableFolder), Apart: opts.Inputs, Need: need})
	if err != nil {
		return err
	}
	if err = cmp.Or(fill(dir), opts.settled()); err == nil {
		err = dir.Commit()
	}
	if err != nil {
		err = errors.Join(err, dir.Abort())
	}
	return err
}

// parser reads a layout's own config.
type parser = func(file string, data []byte) (config.Config, error)

// writeConfig writes a layout's own config, beside it the transformers config where the way back by parse would not give
// it, and what belongs to text.
func writeConfig(dir *atomicfile.Dir, name string, text []byte, p *Plan, parse parser) error {
	if err := writeSmall(dir, name, text); err != nil {
		return err
	}
	whole, keys, err := unsaid(p.cfg, name, text, parse)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		if err := writeSmall(dir, filenames.Whole, whole); err != nil {
			return err
		}
	}
	return p.beside(dir, false)
}

// unsaid returns the transformers config, and the keys of it that do not come back from a layout's own.
func unsaid(cfg config.Config, name string, text []byte, parse parser) (whole []byte, keys []string, err error) {
	if whole, err = cfg.EncodeHF(); err != nil {
		return nil, nil, err
	}
	back, err := parse(name, text)
	if err != nil {
		return nil, nil, err
	}
	back.Shared().DType = cfg.Shared().DType // told by the tensors
	again, err := back.EncodeHF()
	if err != nil || bytes.Equal(again, whole) {
		return nil, nil, err
	}
	return whole, config.Differing(cfg, back), nil
}

// noteUnsaid adds to a plan what its target's own config does not say.
func noteUnsaid(p *Plan, name string, text []byte, parse parser) error {
	_, keys, err := unsaid(p.cfg, name, text, parse)
	if len(keys) > 0 {
		p.Notes = append(p.Notes, name+" cannot hold "+strings.Join(keys, ", ")+", which do not affect results: kept in "+filenames.Whole)
	}
	return err
}
