// Package original is the layout of the state-spaces repositories, which mamba_ssm reads: a config.json of its own and
// pytorch_model.bin.
package original

import (
	"context"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/torchbin"
)

// target writes the layout of the state-spaces repositories: config.json with the 12 keys that mamba_ssm takes,
// and pytorch_model.bin, in which a tied head shares the embedding's storage.
type target struct{ hf.Renamed }

func newTarget() write.Target {
	return target{hf.Renamed{Config: filenames.Config, Folder: folder, Stored: names.ToOriginal}}
}

// Finish puts the tensors in the order of the original code's state dict.
func (target) Finish(p *write.Plan) {
	inOrder(p)
	if p.Config.Shared().TieWordEmbeddings {
		p.Note(names.Head + " is written as a second name of the embedding, as the original code does")
	}
}

func inOrder(p *write.Plan) {
	p.Sort(func(s write.Step) string { return names.FromOriginal(s.To) }, names.CompareOriginal(p.Config))
}

// Write implements write.Target.
func (t target) Write(ctx context.Context, dst string, p *write.Plan, opts write.Options) (string, error) {
	configJSON, err := t.Folder.Encode(p.Config)
	if err != nil {
		return "", err
	}
	return dst, fill(ctx, dst, p.Config, p.Sources, opts, func(dir *atomicfile.Dir) error {
		return p.WriteConfig(dir, t.Config, configJSON, t.Folder.Parse)
	})
}

// Write writes the folder dst of a new model: the configuration, and the tensors that the name table wants. The error is as that
// of hf.Write.
func Write(ctx context.Context, dst string, cfg config.Config, sources []write.Source, opts write.Options) error {
	configJSON, err := cfg.EncodeOriginal()
	if err != nil {
		return err
	}
	if sources, err = hf.InOrder(cfg, sources); err != nil {
		return err
	}
	compare := names.CompareOriginal(cfg)
	slices.SortStableFunc(sources, func(a, b write.Source) int { return compare(a.Name, b.Name) })
	for i := range sources {
		sources[i].Name = names.ToOriginal(sources[i].Name)
	}
	return fill(ctx, dst, cfg, sources, opts, func(dir *atomicfile.Dir) error { return write.Small(dir, filenames.Config, configJSON) })
}

// fill writes a folder with what beside writes, and the state dict.
func fill(ctx context.Context, dst string, cfg config.Config, sources []write.Source, opts write.Options, beside func(*atomicfile.Dir) error) error {
	var entries []torchbin.Entry
	for _, s := range sources {
		entries = append(entries, torchbin.Entry{Name: s.Name, DType: s.DType, Shape: s.Shape})
	}
	if cfg.Shared().TieWordEmbeddings {
		head := entries[0] // the embedding comes first
		head.Name, head.Shares = names.Head, entries[0].Name
		entries = append(entries, head)
	}
	const top = "pytorch_model"
	need, err := torchbin.Size(top, entries)
	if err != nil {
		return err
	}
	return write.Folder(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := beside(dir); err != nil {
			return err
		}
		return writeTorch(ctx, dir, top, entries, sources, opts)
	})
}

// writeTorch streams the state dict.
func writeTorch(ctx context.Context, dir *atomicfile.Dir, top string, entries []torchbin.Entry, sources []write.Source, opts write.Options) (err error) {
	f, err := write.Create(dir, filenames.TorchFile)
	if err != nil {
		return err
	}
	defer f.Finish(&err)
	w, err := torchbin.NewWriter(f, top, entries)
	if err != nil {
		return err
	}
	if err := write.Stream(w, sources, write.NewProgress(ctx, sources, opts)); err != nil {
		return err
	}
	return w.Close()
}
