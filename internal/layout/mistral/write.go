// Package mistral is the layout of Mamba-Codestral, which mistral-inference reads: params.json and
// consolidated.safetensors.
package mistral

import (
	"context"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
)

// target writes the layout of Mamba-Codestral, which mistral-inference reads: params.json, and one
// consolidated.safetensors with the names of mamba_ssm behind "model.".
type target struct{ hf.Renamed }

func newTarget() write.Target {
	return target{hf.Renamed{Config: filenames.Params, Folder: folder, Stored: names.ToMistral}}
}

// Finish stores the head of a tied model a second time: mistral-inference demands every name of the state dict.
func (target) Finish(p *write.Plan) {
	if !p.Config.Shared().TieWordEmbeddings {
		return
	}
	for i, s := range p.Steps {
		if s.To == names.ToMistral(names.Embedding) {
			step, source := s, p.Sources[i]
			step.To = names.ToMistral(names.Head)
			source.Name = step.To
			p.Add(step, source)
			p.Note(names.Head + " is written as a copy of the embedding: mistral-inference looks for it")
		}
	}
}

// Write implements write.Target.
func (t target) Write(ctx context.Context, dst string, p *write.Plan, opts write.Options) (string, error) {
	params, err := t.Folder.Encode(p.Config)
	if err != nil {
		return "", err
	}
	weights := write.Safetensors{File: filenames.Consolidated, Sources: p.Sources}
	need, err := weights.Size()
	if err != nil {
		return "", err
	}
	return dst, write.Folder(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := p.WriteConfig(dir, t.Config, params, t.Folder.Parse); err != nil {
			return err
		}
		return weights.Write(dir, write.NewProgress(ctx, p.Sources, opts))
	})
}
