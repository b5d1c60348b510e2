package convert

import (
	"context"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// originalTarget writes the layout of the state-spaces repositories: config.json with the 12 keys that mamba_ssm takes,
// and pytorch_model.bin, in which a tied head shares the embedding's storage.
type originalTarget struct{}

func (originalTarget) files(*Plan, int64) (int, error) { return 1, nil }

// prepare refuses by key what the 12 keys cannot say.
func (originalTarget) prepare(p *Plan) error {
	if err := (hfTarget{}).prepare(p); err != nil {
		return err
	}
	text, err := p.cfg.EncodeOriginal()
	if err != nil {
		return err
	}
	return noteUnsaid(p, filenames.Config, text, config.ParseOriginal)
}

func (originalTarget) step(p *Plan, spec names.Spec, t tensor.Tensor) (Step, Source) {
	step, source := hfTarget{}.step(p, spec, t)
	step.To = names.ToOriginal(spec.Name)
	source.Name = step.To
	return step, source
}

// finish puts the tensors in the order of the original code's state dict.
func (originalTarget) finish(p *Plan) {
	p.sort(func(s Step) string { return names.FromOriginal(s.To) }, names.CompareOriginal(p.cfg))
	if p.cfg.Shared().TieWordEmbeddings {
		p.Notes = append(p.Notes, names.Head+" is written as a second name of the embedding, as the original code does")
	}
}

func (originalTarget) write(ctx context.Context, dst string, p *Plan, opts Options) error {
	configJSON, err := p.cfg.EncodeOriginal()
	if err != nil {
		return err
	}
	var entries []torchbin.Entry
	for _, s := range p.sources {
		entries = append(entries, torchbin.Entry{Name: s.Name, DType: s.DType, Shape: s.Shape})
	}
	if p.cfg.Shared().TieWordEmbeddings {
		head := entries[0] // the embedding comes first
		head.Name, head.Shares = names.Head, entries[0].Name
		entries = append(entries, head)
	}
	const top = "pytorch_model"
	need, err := torchbin.Size(top, entries)
	if err != nil {
		return err
	}
	return stage(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := writeConfig(dir, filenames.Config, configJSON, p, config.ParseOriginal); err != nil {
			return err
		}
		return writeTorch(ctx, dir, top, entries, p, opts)
	})
}

// writeTorch streams the state dict.
func writeTorch(ctx context.Context, dir *atomicfile.Dir, top string, entries []torchbin.Entry, p *Plan, opts Options) (err error) {
	f, err := create(dir, filenames.TorchFile)
	if err != nil {
		return err
	}
	defer closeFile(f, &err)
	w, err := torchbin.NewWriter(f, top, entries)
	if err != nil {
		return err
	}
	if err := stream(w, p.sources, newProgress(ctx, p.sources, opts)); err != nil {
		return err
	}
	return w.Close()
}

func (originalTarget) reopen(dst string) (stored, error) {
	f, err := torchbin.Open(filepath.Join(dst, filenames.TorchFile))
	if err != nil {
		return nil, err
	}
	return f, nil
}
