package layout

import (
	"errors"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Folder is what a layout says whose configuration is a JSON file of its own beside the weights.
type Folder struct {
	// Config returns the path of the configuration.
	Config func(src Source) string
	// Weights returns the path of the weights, or of the index of their shards.
	Weights func(src Source) (string, error)

	// Is recognises a configuration by its keys. It is nil if all that no other layout recognises is one.
	Is     func(text []byte) bool
	Parse  func(file string, text []byte) (config.Config, error)
	Encode func(cfg config.Config) ([]byte, error)
	// Whole is whether it states every setting, as that of transformers does. If not, hf_config.json may lie beside it.
	Whole bool

	// Prefix returns what the layout itself has before all names, and training code did not put there. cfg may be nil.
	Prefix func(cfg config.Config) string
	// Canonical returns the canonical name of a stored one. If it is nil they are the same, or Settle renames.
	Canonical func(name string) string
	// Settle gives tensors their canonical names and shapes, as far as these follow from more than a name. cfg is nil
	// if it is not known yet. Settle may be nil.
	Settle func(cfg config.Config, w *Weights)
}

// Open reads the configuration and maps the weights.
func (f *Folder) Open(src Source) (config.Config, *Weights, error) {
	file := f.Config(src)
	cfg, err := f.read(file)
	if err != nil {
		return nil, nil, err
	}
	path, err := f.Weights(src)
	if err != nil {
		return nil, nil, err
	}
	w, err := openWeights(path, f.Prefix(cfg))
	if err != nil {
		return nil, nil, err
	}
	w.ConfigName = filepath.Base(file)
	if err := w.Assemble(file, cfg.Shared().Quantization); err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	if f.Canonical != nil {
		w.Rename(f.Canonical)
	}
	if f.Settle != nil {
		f.Settle(cfg, w)
	}
	return cfg, w, nil
}

// read reads the configuration, and the transformers config beside it if that says the same and more.
func (f *Folder) read(path string) (config.Config, error) {
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	if err != nil {
		return nil, NotLinked(path, err)
	}
	cfg, err := f.Parse(path, data)
	beside := filepath.Join(filepath.Dir(path), filenames.Whole)
	if err != nil || f.Whole || !Exists(beside) {
		return cfg, err
	}
	whole, err := config.LoadHF(beside)
	if err != nil {
		return nil, err
	}
	return whole, config.Agree(path, cfg, beside, whole)
}

// openWeights maps the weights and takes wrappers off their names. own is as in unwrap.
func openWeights(path, own string) (*Weights, error) {
	open := OpenSingle
	if filenames.IsIndex(filepath.Base(path)) {
		open = OpenShards
	}
	w, err := open(path, OpenFile)
	if err != nil {
		return nil, err
	}
	if err := w.unwrap(own); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// InFolder returns a function that names the file of that name in a source's folder.
func InFolder(name string) func(src Source) string {
	return func(src Source) string { return filepath.Join(src.Dir, name) }
}

// NoPrefix is the Prefix of a layout without one.
func NoPrefix(config.Config) string { return "" }

// ConfigIs reports whether dir holds a readable config of that name that is says yes to.
func ConfigIs(dir, name string, is func(data []byte) bool) bool {
	path := filepath.Join(dir, name)
	if !Exists(path) {
		return false
	}
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	return err == nil && is(data)
}
