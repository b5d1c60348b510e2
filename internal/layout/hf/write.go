package hf

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
)

// DefaultShardSize is what save_pretrained of transformers 5.24 takes: 50 GB.
const DefaultShardSize = 50_000_000_000

// Harmless copies a configuration without the key by which transformers would change the weights that it loads.
func Harmless(cfg config.Config) config.Config {
	cfg = cfg.Clone()
	cfg.Shared().RescalePrenormResidual = false
	return cfg
}

// Write writes the folder dst as save_pretrained does: the configuration, what beside writes, and the tensors that the name
// table wants. If beside is nil, that is the generation_config.json that follows from the configuration.
func Write(ctx context.Context, dst string, cfg config.Config, sources []write.Source, opts write.Options, beside func(dir *atomicfile.Dir) error) error {
	configJSON, err := Harmless(cfg).EncodeHF()
	if err != nil {
		return err
	}
	if sources, err = inOrder(cfg, sources); err != nil {
		return err
	}
	generation, err := write.Generation(cfg)
	if err != nil {
		return err
	}
	if opts.MaxShardSize < 0 {
		return fmt.Errorf("shard size: found %d bytes, expected a positive number", opts.MaxShardSize)
	}
	shards := Split(sources, cmp.Or(opts.MaxShardSize, DefaultShardSize), names.Together(cfg))
	if err := write.CheckFiles(len(shards)); err != nil {
		return err
	}
	need := int64(0)
	for _, s := range shards {
		size, err := s.Size()
		if err != nil {
			return err
		}
		need += size
	}
	if beside == nil {
		beside = func(dir *atomicfile.Dir) error { return write.Small(dir, filenames.Generation, generation) }
	}
	return write.Folder(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := write.Small(dir, filenames.Config, configJSON); err != nil {
			return err
		}
		if err := beside(dir); err != nil {
			return err
		}
		if len(shards) > 1 {
			index, err := encodeIndex(shards)
			if err == nil {
				err = write.Small(dir, filenames.ModelIndex, index)
			}
			if err != nil {
				return err
			}
		}
		p := write.NewProgress(ctx, sources, opts)
		for _, s := range shards {
			if err := s.Write(dir, p); err != nil {
				return err
			}
		}
		return nil
	})
}
