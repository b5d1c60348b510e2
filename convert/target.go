package convert

import (
	"context"
	"strings"

	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/tensor"
)

// Layout names a way to store a checkpoint.
type Layout string

// The layouts that checkpoints are written in.
const (
	HF Layout = "hf" // a folder as save_pretrained of transformers writes it
)

// targets are the layouts that can be written, in the order in which they are listed.
var targets = []struct {
	layout Layout
	target target
}{
	{HF, hfTarget{}},
}

// Layouts lists the layouts that can be written.
func Layouts() string {
	var known []string
	for _, t := range targets {
		known = append(known, string(t.layout))
	}
	return strings.Join(known, ", ")
}

// Valid reports whether l can be written.
func (l Layout) Valid() bool { return l.target() != nil }

// Guess returns the layout that a destination's name asks for.
func Guess(string) Layout { return HF }

// target returns how the layout is written, nil if it is not.
func (l Layout) target() target {
	for _, t := range targets {
		if t.layout == l {
			return t.target
		}
	}
	return nil
}

// hfTarget writes what WriteHF writes.
type hfTarget struct{}

// prepare states the dtype that all tensors will have; where they keep several, it stands as the source has it.
func (hfTarget) prepare(p *Plan, dtype tensor.DType) error {
	if dtype == 0 {
		for _, t := range p.ck.Tensors() {
			if dtype != 0 && t.DType != dtype {
				return nil
			}
			dtype = t.DType
		}
	}
	name, err := dtypeName(dtype)
	p.cfg.Shared().DType = name
	return err
}

func (hfTarget) step(_ *Plan, spec names.Spec, t tensor.Tensor, dtype tensor.DType) (Step, Source) {
	return plain(spec, t, spec.Name, dtype)
}

func (hfTarget) write(ctx context.Context, dst string, p *Plan, opts Options) error {
	opts.carry = p.ck.Path()
	return WriteHF(ctx, dst, p.cfg, p.sources, opts)
}
