// Package mlx is the layout of mlx-lm: the files of transformers with other names for some weights, another order of the
// convolution, and codes for weights.
package mlx

import (
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// The layout of mlx-lm, as mlx_lm.convert writes it:
//
//	config.json                   that of transformers, and how weights are coded under "quantization"
//	model.safetensors             all tensors, or shards; their metadata has the format "mlx"
//	model.safetensors.index.json  which file holds which tensor, also of a single one
//
// A weight that is coded is NAME.weight, words of 32 bits, NAME.scales and, if codes are integers, NAME.biases. The convolution is
// [C, K, 1], and the experts of a layer are one tensor.

// Name of the layout.
const Name = "mlx"

// format is that of the metadata of its files.
const format = "mlx"

// Layout is the layout of mlx-lm.
var Layout = layout.Layout{
	Name: Name, Match: match, Open: folder.Open, Folder: folder, List: folder.List,
	StoredName: names.ToMLX, Wholes: names.InMLX, Others: names.InHF, // as programs other than mlx-lm leave them
	Stops: hf.Layout.Stops, Generation: layout.Generation, NewTarget: newTarget, // its files have the names of transformers' on the hub
}

var folder = &layout.Folder{
	Config: layout.InFolder(filenames.Config), Weights: layout.WeightsOf,
	Parse: config.ParseMLX, Encode: func(c config.Config) ([]byte, error) { return config.EncodeMLX(c, "") }, Whole: true,
	Prefix: hf.Layout.Folder.Prefix, Settle: settle,
}

// match reports whether the weights of a folder say that MLX wrote them. Files of older programs do not; they are read as
// transformers' are.
func match(src layout.Source) bool {
	if !hf.Match(src) {
		return false
	}
	path, err := layout.WeightsOf(src)
	if err == nil && filenames.IsIndex(filepath.Base(path)) {
		var shards []string
		if shards, err = layout.Shards(path); err == nil && len(shards) > 0 {
			path = shards[0]
		}
	}
	if err != nil || layout.FirstBytes(path) == "" || layout.HoldsTorch(path) { // no regular file, or another format
		return false
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return false // whatever opens it says why
	}
	defer f.Close()
	return f.Metadata()["format"] == format
}

// settle gives tensors their canonical names and shapes.
func settle(cfg config.Config, w *layout.Weights) {
	if cfg != nil {
		w.Rename(func(name string) string { return names.FromMLX(cfg, name) })
	}
	list := w.Tensors
	w.Tensors = make([]tensor.Tensor, len(list))
	for i, t := range list {
		if names.Convolution(t.Name) && len(t.Shape) == 3 && t.Shape[2] == 1 {
			t.Shape = []int{t.Shape[0], 1, t.Shape[1]} // the elements lie in the same order
		}
		w.Tensors[i] = t
	}
	if w.Listed == nil {
		w.Listed = list
	}
}
