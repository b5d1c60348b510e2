package layout

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
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

func matchHF(src Source) bool {
	return Exists(filepath.Join(src.Dir, filenames.Config)) && hasWeights(src)
}

// openHF reads the configuration and maps the weights.
func openHF(src Source) (config.Config, *Weights, error) {
	path := filepath.Join(src.Dir, filenames.Config)
	cfg, err := config.LoadHF(path)
	if err != nil {
		return nil, nil, NotLinked(path, err)
	}
	w, err := openWeights(src, "")
	if err != nil {
		return nil, nil, err
	}
	w.SettleMLX()
	return cfg, w, nil
}

// SettleMLX gives the convolutions of an MLX conversion, [channels, kernel, 1], the shape of PyTorch, [channels, 1, kernel]:
// the elements lie in the same order.
func (w *Weights) SettleMLX() {
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

// NotLinked explains the error of opening path where it is a link that leads nowhere.
func NotLinked(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, lerr := os.Readlink(path)
	if lerr != nil {
		return err
	}
	return &badfile.FormatError{File: path, Detail: "is a link to " + badfile.Quote(target) + ", which is missing; download it again"}
}

// OpenShards maps the shards an index names, and all tensors in them, as transformers does. If the index says otherwise,
// that is noted.
func OpenShards(path string, open func(path string) (File, error)) (_ *Weights, err error) {
	idx, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	w := &Weights{Source: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	held := make(map[string]string, len(idx.shardOf)) // tensor name to shard
	for _, shard := range idx.shards {
		f, err := open(filepath.Join(dir, shard))
		if err != nil {
			return nil, err
		}
		had := len(w.Tensors)
		w.Add(filepath.Join(dir, shard), f)
		for _, t := range w.Tensors[had:] {
			if other, twice := held[t.Name]; twice {
				return nil, idx.errorf(t.Name, "is in two shards, %s and %s", badfile.Quote(other), badfile.Quote(shard))
			}
			held[t.Name] = shard
		}
	}
	idx.compare(w, held)
	return w, nil
}
