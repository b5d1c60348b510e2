package hf

import (
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Renamed is what layouts share that write the tensors of this one under other names, into one file, and the configuration in
// a dialect of their own.
type Renamed struct {
	Target
	Config string // name of the configuration
	Folder *layout.Folder
	Stored func(name string) string // name in the file of a canonical one
}

// Files implements write.Target.
func (Renamed) Files(*write.Plan, int64) (int, error) { return 1, nil }

// Prepare refuses by key what the configuration cannot say.
func (r Renamed) Prepare(p *write.Plan) error {
	if err := stateDType(p); err != nil {
		return err
	}
	text, err := r.Folder.Encode(p.Config)
	if err != nil {
		return err
	}
	return p.NoteUnsaid(r.Config, text, r.Folder.Parse)
}

// Step implements write.Target.
func (r Renamed) Step(p *write.Plan, w names.Whole, parts []tensor.Tensor) (write.Step, write.Source, error) {
	step, source, err := r.Target.Step(p, w, parts)
	step.To = r.Stored(w.Name)
	source.Name = step.To
	return step, source, err
}
