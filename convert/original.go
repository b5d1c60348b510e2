package convert

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/tensor"
	"github.com/gomamba/gomamba/internal/torchbin"
)

// originalTarget writes the layout of the state-spaces repositories: config.json with the 12 keys that mamba_ssm takes,
// and pytorch_model.bin, in which a tied head shares the embedding's storage.
type originalTarget struct{}

const (
	fileTorch      = "pytorch_model.bin"
	fileOriginalHF = "hf_config.json"

	nameHead = "lm_head.weight"
)

// prepare refuses by key what the 12 keys cannot say.
func (originalTarget) prepare(p *Plan, dtype tensor.DType) error {
	if err := (hfTarget{}).prepare(p, dtype); err != nil {
		return err
	}
	_, err := p.cfg.(*config.MambaConfig).EncodeOriginal()
	return err
}

func (originalTarget) step(p *Plan, spec names.Spec, t tensor.Tensor, dtype tensor.DType) (Step, Source) {
	step, source := hfTarget{}.step(p, spec, t, dtype)
	step.To = names.ToOriginal(spec.Name)
	source.Name = step.To
	return step, source
}

// finish puts the tensors in the order of the original code's state dict.
func (originalTarget) finish(p *Plan) {
	p.sort(func(s Step) string { return names.FromOriginal(s.To) }, names.CompareOriginal)
	if p.cfg.Shared().TieWordEmbeddings {
		p.Notes = append(p.Notes, nameHead+" is written as a second name of the embedding, as the original code does")
	}
}

func (originalTarget) write(ctx context.Context, dst string, p *Plan, opts Options) (err error) {
	cfg := p.cfg.(*config.MambaConfig)
	configJSON, err := cfg.EncodeOriginal()
	if err != nil {
		return err
	}
	var entries []torchbin.Entry
	for _, s := range p.sources {
		entries = append(entries, torchbin.Entry{Name: s.Name, DType: s.DType, Shape: s.Shape})
	}
	if cfg.TieWordEmbeddings {
		head := entries[0] // the embedding comes first
		head.Name, head.Shares = nameHead, entries[0].Name
		entries = append(entries, head)
	}
	const top = "pytorch_model"
	need, err := torchbin.Size(top, entries)
	if err != nil {
		return err
	}
	dir, err := atomicfile.CreateDir(dst, atomicfile.Options{Force: opts.Force, Need: need})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.Abort())
		}
	}()
	if err := writeSmall(dir, fileConfig, configJSON); err != nil {
		return err
	}
	if err := writeWhole(dir, cfg, configJSON); err != nil {
		return err
	}
	if err := writeTorch(ctx, dir, top, entries, p, opts); err != nil {
		return err
	}
	return dir.Commit()
}

// writeWhole keeps the transformers config beside the original one where the way back would not give it.
func writeWhole(dir *atomicfile.Dir, cfg *config.MambaConfig, configJSON []byte) error {
	whole, err := cfg.EncodeHF()
	if err != nil {
		return err
	}
	back, err := config.ParseOriginal(fileConfig, configJSON)
	if err != nil {
		return err
	}
	back.Shared().DType = cfg.DType // told by the tensors
	if again, err := back.EncodeHF(); err != nil || slices.Equal(again, whole) {
		return err
	}
	return writeSmall(dir, fileOriginalHF, whole)
}

// writeTorch streams the state dict.
func writeTorch(ctx context.Context, dir *atomicfile.Dir, top string, entries []torchbin.Entry, p *Plan, opts Options) (err error) {
	f, err := create(dir, fileTorch)
	if err != nil {
		return err
	}
	defer closeFile(f, &err)
	w, err := torchbin.NewWriter(f, top, entries)
	if err != nil {
		return f.explain(err)
	}
	progress := &progress{ctx: ctx, report: opts.Progress, total: p.Bytes()}
	for _, s := range p.sources {
		err := w.Tensor(s.Name, func(emit func([]byte) error) error {
			return s.Write(func(piece []byte) error {
				for part := range slices.Chunk(piece, maxPiece) {
					if err := ctx.Err(); err != nil {
						return err
					}
					if err := emit(part); err != nil {
						return err
					}
					progress.add(int64(len(part)))
				}
				return nil
			})
		})
		if err != nil {
			return f.explain(err)
		}
	}
	return f.explain(w.Close())
}

func (originalTarget) reopen(dst string) (stored, error) {
	f, err := torchbin.Open(filepath.Join(dst, fileTorch))
	if err != nil {
		return nil, err
	}
	return f, nil
}
