package loader

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
	"github.com/gomamba/gomamba/internal/jsonobj"
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

func matchHF(src source) bool {
	return exists(filepath.Join(src.dir, filenames.Config)) && hasWeights(src)
}

// openHF reads the configuration and maps the weights.
func openHF(src source) (config.Config, *weights, error) {
	path := filepath.Join(src.dir, filenames.Config)
	cfg, err := config.LoadHF(path)
	if err != nil {
		return nil, nil, notLinked(path, err)
	}
	w, err := openWeights(src, "")
	if err != nil {
		return nil, nil, err
	}
	w.settleMLX()
	return cfg, w, nil
}

// settleMLX gives the convolutions of an MLX conversion, [channels, kernel, 1], the shape of PyTorch, [channels, 1, kernel]:
// the elements lie in the same order.
func (w *weights) settleMLX() {
	settled := slices.Clone(w.tensors)
	var first *tensor.Tensor // as it is stored
	for i := range settled {
		t := &settled[i]
		if strings.HasSuffix(t.Name, ".conv1d.weight") && len(t.Shape) == 3 && t.Shape[1] > 1 && t.Shape[2] == 1 {
			if first == nil {
				first = &w.tensors[i]
			}
			t.Shape = []int{t.Shape[0], 1, t.Shape[1]}
		}
	}
	if first == nil {
		return
	}
	if w.listed == nil {
		w.listed = w.tensors
	}
	w.tensors = settled
	w.note(first.File, whereTensor(first.Name), "", "found %s, the order of an MLX conversion, which transformers refuses; read as %s, and so written by convert",
		shape(first.Shape), shape([]int{first.Shape[0], 1, first.Shape[1]}))
}

// notLinked explains the error of opening path where it is a link that leads nowhere.
func notLinked(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, lerr := os.Readlink(path)
	if lerr != nil {
		return err
	}
	return &badfile.FormatError{File: path, Detail: "is a link to " + badfile.Quote(target) + ", which is missing; download it again"}
}

// openShards maps the shards an index names, and all tensors in them, as transformers does. If the index says otherwise,
// that is noted.
func openShards(path string, open func(path string) (weightFile, error)) (_ *weights, err error) {
	data, err := jsonobj.ReadFile(path, maxIndex)
	if err != nil {
		return nil, notLinked(path, err)
	}
	idx, err := parseIndex(path, data)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := idx.present(dir); err != nil {
		return nil, err
	}
	w := &weights{source: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	held := make(map[string]string, len(idx.shardOf)) // tensor name to shard
	for _, shard := range idx.shards {
		f, err := open(filepath.Join(dir, shard))
		if err != nil {
			return nil, err
		}
		had := len(w.tensors)
		w.add(filepath.Join(dir, shard), f)
		for _, t := range w.tensors[had:] {
			if other, twice := held[t.Name]; twice {
				return nil, idx.errorf(t.Name, "is in two shards, %s and %s", badfile.Quote(other), badfile.Quote(shard))
			}
			held[t.Name] = shard
		}
	}
	idx.compare(w, held)
	return w, nil
}
