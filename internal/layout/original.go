package layout

import (
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/names"
)

// The original layout, as mamba_ssm's save_pretrained writes it:
//
//	config.json        d_model, n_layer, vocab_size, ssm_cfg, ...
//	pytorch_model.bin  the state dict; a tied head shares the embedding's storage
//
// The weights may also come as safetensors, as in repositories that the hub's bot converted.

func matchOriginal(src Source) bool {
	return hasWeights(src) && configIs(src.Dir, filenames.Config, config.IsOriginal)
}

// configIs reports whether dir holds a readable config of that name that is says yes to.
func configIs(dir, name string, is func(data []byte) bool) bool {
	path := filepath.Join(dir, name)
	if !Exists(path) {
		return false
	}
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	return err == nil && is(data)
}

func openOriginal(src Source) (config.Config, *Weights, error) {
	cfg, err := wholeConfig(filepath.Join(src.Dir, filenames.Config), config.ParseOriginal)
	if err != nil {
		return nil, nil, err
	}
	w, err := openWeights(src, "")
	if err != nil {
		return nil, nil, err
	}
	w.rename(names.FromOriginal)
	return cfg, w, nil
}

// rename gives the tensors their canonical names.
func (w *Weights) rename(canonical func(name string) string) {
	list := w.Names()
	for i, name := range list {
		list[i] = canonical(name)
	}
	w.SetNames(list)
}

// wholeConfig reads a config by parse, and the transformers config beside it where it says the same and more.
func wholeConfig(path string, parse func(file string, data []byte) (config.Config, error)) (config.Config, error) {
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
