package mlx

import (
	"cmp"
	"context"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
)

// defaultShardSize is what mlx_lm.convert takes: 5 GiB.
const defaultShardSize = 5 << 30

// shards divides the tensors among files.
func shards(p *write.Plan, limit int64) []write.Safetensors {
	list := hf.Split(p.Sources, cmp.Or(limit, defaultShardSize), func(string) string { return "" })
	for i := range list {
		list[i].Format = format
	}
	return list
}

// Files implements write.Target.
func (*target) Files(p *write.Plan, limit int64) (int, error) {
	n := len(shards(p, limit))
	return n, write.CheckFiles(n)
}

// Write implements write.Target.
func (t *target) Write(ctx context.Context, dst string, p *write.Plan, opts write.Options) (string, error) {
	text, err := config.EncodeMLX(p.Config, t.quantization(p))
	if err != nil {
		return "", err
	}
	files, need := shards(p, opts.MaxShardSize), int64(0)
	for _, f := range files {
		size, err := f.Size()
		if err != nil {
			return "", err
		}
		need += size
	}
	index, err := t.index(files)
	if err != nil {
		return "", err
	}
	return dst, write.Folder(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := write.Small(dir, filenames.Config, text); err != nil {
			return err
		}
		if err := p.Beside(dir, true); err != nil {
			return err
		}
		if err := write.Small(dir, filenames.ModelIndex, index); err != nil {
			return err
		}
		progress := write.NewProgress(ctx, p.Sources, opts)
		for _, f := range files {
			if err := f.Write(dir, progress); err != nil {
				return err
			}
		}
		return nil
	})
}

// index renders model.safetensors.index.json.
func (t *target) index(files []write.Safetensors) ([]byte, error) {
	size, parameters := int64(0), 0
	in := map[string]string{}
	var all []string
	for _, f := range files {
		for _, s := range f.Sources {
			in[s.Name] = f.File
			size += s.Bytes()
			all = append(all, s.Name)
		}
	}
	leaf := names.Leaf(all)
	for name, n := range t.sizes {
		if leaf(name) {
			parameters += n
		}
	}
	return write.JSON(map[string]any{
		"metadata":   map[string]int64{"total_parameters": int64(parameters), "total_size": size},
		"weight_map": in,
	})
}
