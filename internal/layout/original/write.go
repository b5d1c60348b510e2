// Package original is the layout of the state-spaces repositories, which mamba_ssm reads: a config.json of its own and
// pytorch_model.bin.
package original

import (
	"context"

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
	p.Sort(func(s write.Step) string { return names.FromOriginal(s.To) }, names.CompareOriginal(p.Config))
	if p.Config.Shared().TieWordEmbeddings {
		p.Note(names.Head + " is written as a second name of the embedding, as the original code does")
	}
}

// Write implements write.Target.
func (t target) Write(ctx context.Context, dst string, p *write.Plan, opts write.Options) (string, error) {
	configJSON, err := t.Folder.Encode(p.Config)
	if err != nil {
		return "", err
	}
	var entries []torchbin.Entry
	for _, s := range p.Sources {
		entries = append(entries, torchbin.Entry{Name: s.Name, DType: s.DType, Shape: s.Shape})
	}
	if p.Config.Shared().TieWordEmbeddings {
		head := entries[0] // the embedding comes first
		head.Name, head.Shares = names.Head, entries[0].Name
		entries = append(entries, head)
	}
	const top = "pytorch_model"
	need, err := torchbin.Size(top, entries)
	if err != nil {
		return "", err
	}
	return dst, write.Folder(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := p.WriteConfig(dir, t.Config, configJSON, t.Folder.Parse); err != nil {
			return err
		}
		return writeTorch(ctx, dir, top, entries, p, opts)
	})
}

// writeTorch streams the state dict.
func writeTorch(ctx context.Context, dir *atomicfile.Dir, top string, entries []torchbin.Entry, p *write.Plan, opts write.Options) (err error) {
	f, err := write.Create(dir, filenames.TorchFile)
	if err != nil {
		return err
	}
	defer f.Finish(&err)
	w, err := torchbin.NewWriter(f, top, entries)
	if err != nil {
		return err
	}
	if err := write.Stream(w, p.Sources, write.NewProgress(ctx, p.Sources, opts)); err != nil {
		return err
	}
	return w.Close()
}
