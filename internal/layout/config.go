package layout

import (
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// ConfigIs reports whether dir holds a readable config of that name that is says yes to.
func ConfigIs(dir, name string, is func(data []byte) bool) bool {
	path := filepath.Join(dir, name)
	if !Exists(path) {
		return false
	}
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	return err == nil && is(data)
}

// WholeConfig reads a config by parse, and the transformers config beside it if it says the same and more.
func WholeConfig(path string, parse func(file string, data []byte) (config.Config, error)) (config.Config, error) {
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	if err != nil {
		return nil, NotLinked(path, err)
	}
	cfg, err := parse(path, data)
	beside := filepath.Join(filepath.Dir(path), filenames.Whole)
	if err != nil || !Exists(beside) {
		return cfg, err
	}
	whole, err := config.LoadHF(beside)
	if err != nil {
		return nil, err
	}
	return whole, config.Agree(path, cfg, beside, whole)
}
