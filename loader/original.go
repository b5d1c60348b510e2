package loader

import (
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/names"
)

// The original layout, as mamba_ssm's save_pretrained writes it:
//
//	config.json        d_model, n_layer, vocab_size, ssm_cfg, ...
//	pytorch_model.bin  the state dict; a tied head shares the embedding's storage
//
// fileOriginalHF is an addition of ours, which mamba_ssm does not look at: the transformers config of a checkpoint that
// was one before, where the 12 keys of config.json do not say it all.
const fileOriginalHF = "hf_config.json"

func matchOriginal(dir string) bool {
	if !exists(filepath.Join(dir, fileConfig)) || !exists(filepath.Join(dir, fileTorch)) {
		return false
	}
	data, err := jsonobj.ReadFile(filepath.Join(dir, fileConfig), config.MaxFile)
	return err == nil && config.IsOriginal(data)
}

func openOriginal(dir string) (config.Config, *weights, error) {
	cfg, err := originalConfig(dir)
	if err != nil {
		return nil, nil, err
	}
	w, err := openSingle(filepath.Join(dir, fileTorch), openTorch)
	if err != nil {
		return nil, nil, err
	}
	w.listed = w.tensors
	w.tensors = append(w.tensors[:0:0], w.tensors...)
	for i := range w.tensors {
		w.tensors[i].Name = names.FromOriginal(w.tensors[i].Name)
	}
	return cfg, w, nil
}

// originalConfig reads config.json, and the transformers config beside it where it says the same and more.
func originalConfig(dir string) (config.Config, error) {
	path := filepath.Join(dir, fileConfig)
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	if err != nil {
		return nil, err
	}
	cfg, err := config.ParseOriginal(path, data)
	if err != nil || !exists(filepath.Join(dir, fileOriginalHF)) {
		return cfg, err
	}
	whole, err := config.LoadHF(filepath.Join(dir, fileOriginalHF))
	if err != nil {
		return nil, err
	}
	return whole, config.Agree(path, cfg, filepath.Join(dir, fileOriginalHF), whole)
}
