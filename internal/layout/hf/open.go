package hf

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// The Hugging Face layout, as save_pretrained of transformers writes it:
//
//	config.json                      the configuration
//	model.safetensors                all tensors, or else
//	model-00001-of-0000n.safetensors the first of n shards, and
//	model.safetensors.index.json     which shard holds which tensor
//
// or, in older repositories, pytorch_model.bin, or pytorch_model-0000i-of-0000n.bin and pytorch_model.bin.index.json.
// In the hub's cache all of these are links into ../../blobs.
// Where none of these is there, the only file of weights under another name will do.

// Name of the layout.
const Name = "hf"

// Layout is the layout of transformers.
var Layout = layout.Layout{
	Name: Name, Match: Match, Open: folder.Open, Folder: folder, List: folder.List,
	StoredName: names.ToHF, Wholes: names.InHF, Others: others,
	Stops: stops, Generation: layout.Generation, NewTarget: newTarget,
	Repo: layout.Repo{Configs: []string{filenames.Config}, Weights: filenames.UsualSafetensors, Pickles: filenames.UsualPickles},
}

var folder = &layout.Folder{
	Config: layout.InFolder(filenames.Config), Weights: layout.WeightsOf,
	Parse: config.ParseHF, Encode: config.Config.EncodeHF, Whole: true,
	Prefix: prefix, Settle: settle,
}

// others are the tensors of transformers' memory, which some programs save as they are.
func others(cfg config.Config) ([]names.Whole, error) {
	list, err := names.InMemory(cfg)
	for _, w := range slices.Clone(list) {
		w.Name += ".weight"
		list = append(list, w)
	}
	return list, err
}

// Match reports whether a folder has the files of the layout.
func Match(src layout.Source) bool {
	return layout.Exists(filepath.Join(src.Dir, filenames.Config)) && src.HasWeights()
}

// stops reads the ids that end a text from the file itself: transformers resolves none that it does not state.
func stops(o *layout.Opened) ([]int64, error) {
	return layout.FolderStops(o, func() ([]int64, error) {
		data, err := jsonobj.ReadFile(filepath.Join(o.Path, filenames.Config), config.MaxFile)
		if err != nil {
			return layout.ConfiguredStops(o), err
		}
		return config.ParseStops(data)
	})
}

// prefix is that of the family's names, if it has another than pure families.
func prefix(cfg config.Config) string {
	if cfg == nil {
		return ""
	}
	return names.Alternative(cfg)
}

// settle gives tensors their canonical names and shapes.
func settle(cfg config.Config, w *layout.Weights) {
	if cfg != nil {
		noteOlder(cfg, w)
		w.Rename(func(name string) string { return names.FromHF(cfg, name) })
	}
	settleMLX(w)
}

// noteOlder says that transformers would not find tensors under the names that they have.
func noteOlder(cfg config.Config, w *layout.Weights) {
	for _, t := range w.Tensors {
		if names.Older(cfg, t.Name) {
			w.Note(t.File, badfile.Tensor(t.Name), "", "a name from before transformers had %s, under which it does not find the tensor; read as %s, and so written by convert",
				config.Title(cfg.Family()), badfile.Quote(names.ToHF(cfg, names.FromHF(cfg, t.Name))))
			return
		}
	}
}

// settleMLX gives the convolutions of an MLX conversion, [channels, kernel, 1], the shape of PyTorch, [channels, 1, kernel]:
// the elements lie in the same order.
func settleMLX(w *layout.Weights) {
	settled := slices.Clone(w.Tensors)
	var first *tensor.Tensor // as it is stored
	for i := range settled {
		t := &settled[i]
		if strings.HasSuffix(t.Name, ".conv1d.weight") && len(t.Shape) == 3 && t.Shape[1] > 1 && t.Shape[2] == 1 {
			if first == nil {
				first = &w.Tensors[i]
			}
			t.Shape = []int{t.Shape[0], 1, t.Shape[1]}
		}
	}
	if first == nil {
		return
	}
	if w.Listed == nil {
		w.Listed = w.Tensors
	}
	w.Tensors = settled
	w.Note(first.File, badfile.Tensor(first.Name), "", "found %s, the order of an MLX conversion, which transformers refuses; read as %s, and so written by convert",
		badfile.Shape(first.Shape), badfile.Shape([]int{first.Shape[0], 1, first.Shape[1]}))
}
