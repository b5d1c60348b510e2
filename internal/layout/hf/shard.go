package hf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// inOrder checks the sources against the name table and sorts them as a PyTorch state dict lists them, which decides
// where one shard ends and the next begins.
func inOrder(cfg config.Config, sources []write.Source) ([]write.Source, error) {
	table, err := names.StateDict(cfg)
	if err != nil {
		return nil, err
	}
	given := make(map[string]write.Source, len(sources))
	for _, s := range sources {
		s.Name = names.ToHF(cfg, names.FromHF(cfg, s.Name))
		if _, twice := given[s.Name]; twice {
			return nil, contradiction(s.Name, "given twice")
		}
		if !s.DType.Float() || !s.DType.Plain() {
			return nil, contradiction(s.Name, fmt.Sprintf("found dtype %s, expected %s", s.DType, badfile.Or(slices.DeleteFunc(tensor.Floats(), tensor.DType.Quantized))))
		}
		given[s.Name] = s
	}
	ordered := make([]write.Source, 0, len(sources))
	for _, w := range table {
		name := names.ToHF(cfg, w.Name)
		s, ok := given[name]
		switch {
		case !ok && w.Optional:
			continue
		case !ok:
			return nil, contradiction(name, "missing")
		case !slices.Equal(s.Shape, w.Shape):
			return nil, contradiction(name, fmt.Sprintf("found the shape %v, expected %v", s.Shape, w.Shape))
		}
		if s.Write == nil && s.Piece == nil {
			return nil, fmt.Errorf("convert: the source of tensor %s has no Write", badfile.Quote(s.Name))
		}
		ordered = append(ordered, s)
		delete(given, name)
	}
	for _, s := range sources {
		name := names.ToHF(cfg, names.FromHF(cfg, s.Name))
		further, left := given[name]
		switch {
		case !left:
		case config.Hybrid(cfg.Family()) && strings.HasPrefix(name, names.MultiToken):
			ordered = append(ordered, further)
		default:
			return nil, contradiction(name, "is not a tensor of this configuration")
		}
	}
	return ordered, nil
}

func contradiction(name, detail string) error {
	return &badfile.FormatError{Where: "tensor " + badfile.Quote(name), Detail: detail}
}

// Split fills shards in the order of the sources. A tensor that would make the current shard larger than limit begins
// a new one; a tensor that is larger by itself gets a shard of its own, before the current one.
// Experts that lie in one tensor in memory stay together. The rule is split_state_dict_into_shards_factory of huggingface_hub
// (serialization/_base.py).
func Split(sources []write.Source, limit int64, together func(name string) string) []write.Safetensors {
	var shards []write.Safetensors
	var current []write.Source
	size := int64(0)
	for len(sources) > 0 {
		count, n := 1, sources[0].Bytes()
		whole := together(sources[0].Name)
		for whole != "" && count < len(sources) && together(sources[count].Name) == whole {
			n += sources[count].Bytes()
			count++
		}
		unit := sources[:count:count]
		sources = sources[count:]
		if n > limit {
			shards = append(shards, write.Safetensors{Sources: unit})
			continue
		}
		if size+n > limit {
			shards = append(shards, write.Safetensors{Sources: current})
			current, size = nil, 0
		}
		current = append(current, unit...)
		size += n
	}
	if len(current) > 0 {
		shards = append(shards, write.Safetensors{Sources: current})
	}
	if len(shards) == 1 {
		shards[0].File = filenames.ModelFile
		return shards
	}
	for i := range shards {
		shards[i].File = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
	}
	return shards
}

// encodeIndex renders model.safetensors.index.json.
func encodeIndex(shards []write.Safetensors) ([]byte, error) {
	size, parameters := int64(0), int64(0)
	files := make(map[string]string)
	for _, s := range shards {
		for _, src := range s.Sources {
			files[src.Name] = s.File
			size += src.Bytes()
			if !names.Buffer(src.Name) {
				parameters += src.Bytes() / int64(src.DType.Size())
			}
		}
	}
	return write.JSON(map[string]any{
		"metadata":   map[string]int64{"total_parameters": parameters, "total_size": size},
		"weight_map": files,
	})
}
