package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/internal/torchbin"
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
const (
	fileConfig  = "config.json"
	fileWeights = "model.safetensors"
	fileIndex   = "model.safetensors.index.json"

	fileTorch      = "pytorch_model.bin"
	fileTorchIndex = "pytorch_model.bin.index.json"
)

// weightFile is a file of tensors.
type weightFile interface {
	file
	Tensors() []tensor.Tensor
}

func openSafetensors(path string) (weightFile, error) { return safetensors.Open(path) }

func openTorch(path string) (weightFile, error) { return torchbin.Open(path) }

// hfWeights are the files that may hold the weights, in the order in which transformers looks for them
// (5.23, modeling_utils.py, _get_resolved_checkpoint_files): older repositories have only PyTorch's.
var hfWeights = []struct {
	name    string
	sharded bool
	open    func(path string) (weightFile, error)
}{
	{fileWeights, false, openSafetensors},
	{fileIndex, true, openSafetensors},
	{fileTorch, false, openTorch},
	{fileTorchIndex, true, openTorch},
}

func matchHF(dir string) bool {
	return exists(filepath.Join(dir, fileConfig)) && hasWeights(dir)
}

func hasWeights(dir string) bool {
	for _, f := range hfWeights {
		if exists(filepath.Join(dir, f.name)) {
			return true
		}
	}
	return false
}

// openHF reads the configuration and maps the weights.
func openHF(dir string) (config.Config, *weights, error) {
	cfg, err := config.LoadHF(filepath.Join(dir, fileConfig))
	if err != nil {
		return nil, nil, notLinked(filepath.Join(dir, fileConfig), err)
	}
	w, err := openWeights(dir)
	if err != nil {
		return nil, nil, err
	}
	w.settleMLX()
	return cfg, w, nil
}

// openWeights maps the first of the files that may hold the weights.
func openWeights(dir string) (*weights, error) {
	for _, f := range hfWeights {
		path := filepath.Join(dir, f.name)
		switch {
		case !exists(path):
		case f.sharded:
			return openShards(path, f.open)
		default:
			return openSingle(path, f.open)
		}
	}
	return nil, noMatch(dir) // the weights went away after they were seen
}

// settleMLX gives the convolutions of an MLX conversion, [channels, kernel, 1], the shape of PyTorch, [channels, 1, kernel]:
// the elements lie in the same order.
func (w *weights) settleMLX() {
	var first *tensor.Tensor
	for i := range w.tensors {
		t := &w.tensors[i]
		if strings.HasSuffix(t.Name, ".conv1d.weight") && len(t.Shape) == 3 && t.Shape[1] > 1 && t.Shape[2] == 1 {
			if first == nil {
				w.listed = slices.Clone(w.tensors)
				first = &w.listed[i]
			}
			t.Shape = []int{t.Shape[0], 1, t.Shape[1]}
		}
	}
	if first != nil {
		w.notes = append(w.notes, fault{severity: Warning, file: first.File, where: whereTensor(first.Name),
			detail: fmt.Sprintf("found %s, the order of an MLX conversion, which transformers refuses; read as %s, and so written by convert",
				shape(first.Shape), shape([]int{first.Shape[0], 1, first.Shape[1]}))})
	}
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

func openSingle(path string, open func(path string) (weightFile, error)) (*weights, error) {
	f, err := open(path)
	if err != nil {
		return nil, notLinked(path, err)
	}
	return &weights{source: path, files: []file{f}, tensors: f.Tensors()}, nil
}

// openShards maps the shards an index names and checks that index and shards agree.
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
	total := int64(0)
	for _, shard := range idx.shards {
		f, err := open(filepath.Join(dir, shard))
		if err != nil {
			return nil, err
		}
		w.files = append(w.files, f)
		tensors := f.Tensors()
		for _, t := range tensors {
			if other, twice := held[t.Name]; twice {
				return nil, idx.errorf(t.Name, "is in two shards, %s and %s", badfile.Quote(other), badfile.Quote(shard))
			}
			held[t.Name] = shard
			total += int64(len(t.Data))
		}
		w.tensors = append(w.tensors, tensors...)
	}
	if err := idx.agrees(w, held); err != nil {
		return nil, err
	}
	if idx.hasTotal && idx.total != float64(total) {
		w.notes = append(w.notes, fault{severity: Warning, file: path, where: "total_size",
			detail: fmt.Sprintf("found %v, but the shards hold %d bytes of tensors", idx.total, total)})
	}
	return w, nil
}
