package original

import (
	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
)

// The original layout, as mamba_ssm's save_pretrained writes it:
//
//	config.json        d_model, n_layer, vocab_size, ssm_cfg, attn_layer_idx, attn_cfg, ...
//	pytorch_model.bin  the state dict; a tied head shares the embedding's storage
//
// The weights may also come as safetensors, as in repositories that the hub's bot converted.

// Name of the layout.
const Name = "original"

// Layout is the layout of mamba_ssm.
var Layout = layout.Layout{
	Name: Name, OneFile: true, Match: match, Open: folder.Open, Folder: folder, List: folder.List,
	StoredName: func(_ config.Config, name string) string { return names.ToOriginal(name) },
	Stops:      layout.Stops, Generation: layout.Generation, NewTarget: newTarget,
	Repo: layout.Repo{Configs: []string{filenames.Config}, Weights: filenames.UsualSafetensors, Pickles: filenames.UsualPickles},
}

var folder = &layout.Folder{
	Config: layout.InFolder(filenames.Config), Weights: layout.WeightsOf,
	Is: config.IsOriginal, Parse: config.ParseOriginal, Encode: config.Config.EncodeOriginal,
	Prefix: layout.NoPrefix, Canonical: names.FromOriginal,
}

func match(src layout.Source) bool {
	return src.HasWeights() && layout.ConfigIs(src.Dir, filenames.Config, config.IsOriginal)
}
