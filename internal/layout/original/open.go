package original

import (
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
)

// The original layout, as mamba_ssm's save_pretrained writes it:
//
//	config.json        d_model, n_layer, vocab_size, ssm_cfg, ...
//	pytorch_model.bin  the state dict; a tied head shares the embedding's storage
//
// The weights may also come as safetensors, as in repositories that the hub's bot converted.

// Name of the layout.
const Name = "original"

// Layout is the layout of mamba_ssm.
var Layout = layout.Layout{
	Name: Name, OneFile: true, Match: match, Open: open,
	StoredName: func(_ config.Config, name string) string { return names.ToOriginal(name) },
	Stops:      layout.Stops, Generation: layout.Generation, NewTarget: newTarget,
	Repo: layout.Repo{Configs: []string{filenames.Config}, Weights: filenames.UsualSafetensors, Pickles: filenames.UsualPickles},
}

func match(src layout.Source) bool {
	return src.HasWeights() && layout.ConfigIs(src.Dir, filenames.Config, config.IsOriginal)
}

func open(src layout.Source) (config.Config, *layout.Weights, error) {
	cfg, err := layout.WholeConfig(filepath.Join(src.Dir, filenames.Config), config.ParseOriginal)
	if err != nil {
		return nil, nil, err
	}
	w, err := layout.OpenWeights(src, "")
	if err != nil {
		return nil, nil, err
	}
	w.Rename(names.FromOriginal)
	return cfg, w, nil
}
