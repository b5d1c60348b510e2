package convert

import (
	"context"
	"path/filepath"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// mistralTarget writes the layout of Mamba-Codestral, which mistral-inference reads: params.json, and one
// consolidated.safetensors with the names of mamba_ssm behind "model.".
type mistralTarget struct{}

func (mistralTarget) files(*Plan, int64) (int, error) { return 1, nil }

// prepare refuses by key what params.json cannot say.
func (mistralTarget) prepare(p *Plan) error {
	if err := (hfTarget{}).prepare(p); err != nil {
		return err
	}
	params, err := p.cfg.EncodeMistral()
	if err != nil {
		return err
	}
	return noteUnsaid(p, filenames.Params, params, config.ParseMistral)
}

func (mistralTarget) step(p *Plan, spec names.Spec, t tensor.Tensor) (Step, Source) {
	step, source := hfTarget{}.step(p, spec, t)
	step.To = names.ToMistral(spec.Name)
	source.Name = step.To
	return step, source
}

// finish stores the head of a tied model a second time: mistral-inference demands every name of the state dict.
func (mistralTarget) finish(p *Plan) {
	if !p.cfg.Shared().TieWordEmbeddings {
		return
	}
	for i, s := range p.Steps {
		if s.To == names.ToMistral(names.Embedding) {
			step, source := s, p.sources[i]
			step.To = names.ToMistral(names.Head)
			source.Name = step.To
			p.Steps, p.sources = append(p.Steps, step), append(p.sources, source)
			p.Notes = append(p.Notes, names.Head+" is written as a copy of the embedding: mistral-inference looks for it")
		}
	}
}

func (mistralTarget) write(ctx context.Context, dst string, p *Plan, opts Options) error {
	params, err := p.cfg.EncodeMistral()
	if err != nil {
		return err
	}
	s := shard{file: filenames.Consolidated, sources: p.sources}
	need, err := sizeOnDisk([]shard{s})
	if err != nil {
		return err
	}
	return stage(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := writeConfig(dir, filenames.Params, params, p, config.ParseMistral); err != nil {
			return err
		}
		return writeShard(dir, s, newProgress(ctx, p.sources, opts))
	})
}

func (mistralTarget) reopen(dst string) (stored, error) {
	f, err := safetensors.Open(filepath.Join(dst, filenames.Consolidated))
	if err != nil {
		return nil, err
	}
	return f, nil
}
