package convert

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// shard is one weight file and what goes into it.
type shard struct {
	file    string
	sources []Source
}

func (s shard) entries() []safetensors.Entry {
	entries := make([]safetensors.Entry, len(s.sources))
	for i, src := range s.sources {
		entries[i] = safetensors.Entry{Name: src.Name, DType: src.DType, Shape: src.Shape}
	}
	return entries
}

// inOrder checks the sources against the name table and sorts them as a PyTorch state dict lists them, which decides
// where one shard ends and the next begins.
func inOrder(cfg config.Config, sources []Source) ([]Source, error) {
	table, err := names.StateDict(cfg)
	if err != nil {
		return nil, err
	}
	given := make(map[string]Source, len(sources))
	for _, s := range sources {
		if _, twice := given[s.Name]; twice {
			return nil, contradiction(s.Name, "given twice")
		}
		if !s.DType.Float() || !s.DType.Plain() {
			return nil, contradiction(s.Name, fmt.Sprintf("found dtype %s, expected %s", s.DType, badfile.Or(slices.DeleteFunc(tensor.Floats(), tensor.DType.Quantized))))
		}
		given[s.Name] = s
	}
	ordered := make([]Source, 0, len(sources))
	for _, spec := range table {
		s, ok := given[spec.Name]
		switch {
		case !ok && spec.Optional:
			continue
		case !ok:
			return nil, contradiction(spec.Name, "missing")
		case !slices.Equal(s.Shape, spec.Shape):
			return nil, contradiction(spec.Name, fmt.Sprintf("found the shape %v, expected %v", s.Shape, spec.Shape))
		}
		if s.Write == nil && s.piece == nil {
			return nil, fmt.Errorf("convert: the source of tensor %s has no Write", badfile.Quote(s.Name))
		}
		ordered = append(ordered, s)
		delete(given, spec.Name)
	}
	for _, s := range sources {
		if _, left := given[s.Name]; left {
			return nil, contradiction(s.Name, "is not a tensor of this configuration")
		}
	}
	return ordered, nil
}

func contradiction(name, detail string) error {
	return &badfile.FormatError{Where: "tensor " + badfile.Quote(name), Detail: detail}
}

// checkFiles refuses to write more weight files than a checkpoint is opened with.
func checkFiles(n int) error {
	if n > layout.MaxShards {
		return fmt.Errorf("the weights would take %d files of this size, and a checkpoint has at most %d: allow larger ones", n, layout.MaxShards)
	}
	return nil
}

// split fills shards in the order of the sources. A tensor that would make the current shard larger than limit begins
// a new one; a tensor that is larger by itself gets a shard of its own, before the current one.
// The rule is split_state_dict_into_shards_factory of huggingface_hub (serialization/_base.py).
func split(sources []Source, limit int64) []shard {
	var shards []shard
	var current []Source
	size := int64(0)
	for _, s := range sources {
		n := s.bytes()
		if n > limit {
			shards = append(shards, shard{sources: []Source{s}})
			continue
		}
		if size+n > limit {
			shards = append(shards, shard{sources: current})
			current, size = nil, 0
		}
		current = append(current, s)
		size += n
	}
	if len(current) > 0 {
		shards = append(shards, shard{sources: current})
	}
	if len(shards) == 1 {
		shards[0].file = filenames.ModelFile
		return shards
	}
	for i := range shards {
		shards[i].file = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
	}
	return shards
}

// encodeIndex renders model.safetensors.index.json.
func encodeIndex(shards []shard) ([]byte, error) {
	size, parameters := int64(0), int64(0)
	files := make(map[string]string)
	for _, s := range shards {
		for _, src := range s.sources {
			files[src.Name] = s.file
			size += src.bytes()
			parameters += src.bytes() / int64(src.DType.Size())
		}
	}
	return encodeJSON(map[string]any{
		"metadata":   map[string]int64{"total_parameters": parameters, "total_size": size},
		"weight_map": files,
	})
}

// sizeOnDisk returns the bytes of all weight files.
func sizeOnDisk(shards []shard) (int64, error) {
	sum := int64(0)
	for _, s := range shards {
		_, _, size, err := safetensors.Layout(s.entries(), metadata)
		if err != nil {
			return 0, err
		}
		sum += size
	}
	return sum, nil
}
