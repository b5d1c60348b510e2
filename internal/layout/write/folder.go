package write

import (
	"bytes"
	"errors"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
)

// Folder fills a folder that appears at dst when it is complete and synced, or not at all.
func Folder(dst string, need int64, opts Options, fill func(dir *atomicfile.Dir) error) error {
	dir, err := atomicfile.CreateDir(dst, atomicfile.Options{Replace: opts.Replaces(replaceableFolder), Apart: opts.Inputs, Need: need})
	if err != nil {
		return err
	}
	if err = fill(dir); err == nil {
		err = opts.Settled()
	}
	if err == nil {
		err = dir.Commit()
	}
	if err != nil {
		err = errors.Join(err, dir.Abort())
	}
	return err
}

// Parser reads a layout's own config.
type Parser = func(file string, data []byte) (config.Config, error)

// WriteConfig writes a layout's own config, beside it the transformers config if the way back by parse would not give
// it, and what belongs to text.
func (p *Plan) WriteConfig(dir *atomicfile.Dir, name string, text []byte, parse Parser) error {
	if err := Small(dir, name, text); err != nil {
		return err
	}
	whole, keys, err := unsaid(p.Config, name, text, parse)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		if err := Small(dir, filenames.Whole, whole); err != nil {
			return err
		}
	}
	return p.Beside(dir, false)
}

// unsaid returns the transformers config, and the keys of it that do not come back from a layout's own: nothing of a family that
// transformers does not have.
func unsaid(cfg config.Config, name string, text []byte, parse Parser) (whole []byte, keys []string, err error) {
	if !config.InTransformers(cfg.Family()) {
		return nil, nil, nil
	}
	if whole, err = cfg.EncodeHF(); err != nil {
		return nil, nil, err
	}
	back, err := parse(name, text)
	if err != nil {
		return nil, nil, err
	}
	back.Shared().DType = cfg.Shared().DType // the tensors show it
	again, err := back.EncodeHF()
	if err != nil || bytes.Equal(again, whole) {
		return nil, nil, err
	}
	return whole, config.Differing(cfg, back), nil
}

// NoteUnsaid adds to the plan what its target's own config does not say.
func (p *Plan) NoteUnsaid(name string, text []byte, parse Parser) error {
	_, keys, err := unsaid(p.Config, name, text, parse)
	if len(keys) > 0 {
		p.Note(name + " cannot hold " + strings.Join(keys, ", ") + ", which do not affect results: kept in " + filenames.Whole)
	}
	return err
}
