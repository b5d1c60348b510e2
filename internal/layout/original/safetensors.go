package original

import (
	"context"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
)

// Safetensors is the same layout with the weights as the hub's bot converts them:
//
//	config.json        as in Layout
//	model.safetensors  the state dict; a tied head is left out
//
// Layout reads it, so that nothing is recognised as this one.
var Safetensors = layout.Layout{
	Name: Name + "-safetensors", OneFile: true, Match: func(layout.Source) bool { return false },
	Open: Layout.Open, List: Layout.List,
	StoredName: func(_ config.Config, name string) string { return names.ToOriginal(name) },
	Stops:      layout.Stops, Generation: layout.Generation,
	NewTarget: func() write.Target { return safetensors{newTarget().(target)} },
}

// safetensors writes that.
type safetensors struct{ target }

// Finish puts the tensors in the order of the original code's state dict.
func (safetensors) Finish(p *write.Plan) { inOrder(p) }

// Write implements write.Target.
func (s safetensors) Write(ctx context.Context, dst string, p *write.Plan, opts write.Options) (string, error) {
	configJSON, err := s.Folder.Encode(p.Config)
	if err != nil {
		return "", err
	}
	weights := write.Safetensors{File: filenames.ModelFile, Sources: p.Sources}
	need, err := weights.Size()
	if err != nil {
		return "", err
	}
	return dst, write.Folder(dst, need, opts, func(dir *atomicfile.Dir) error {
		if err := p.WriteConfig(dir, s.Config, configJSON, s.Folder.Parse); err != nil {
			return err
		}
		return weights.Write(dir, write.NewProgress(ctx, p.Sources, opts))
	})
}
