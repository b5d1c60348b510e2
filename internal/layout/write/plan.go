// Package write has what the writers of all layouts share: the plan that each completes, the streaming of tensors, and the
// files beside the weights. A layout's own package implements Target.
package write

import (
	"context"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert/recipe"
	"github.com/gomamba/gomamba/internal/filetype"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/imatrix"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// Target writes one checkpoint in a layout. Each plan has a value of its own, which keeps between the calls what only this
// layout knows.
type Target interface {
	// Prepare settles the configuration, and refuses by key what the layout cannot hold.
	Prepare(p *Plan) error
	// Wholes lists the tensors that are stored, in the order of the name table.
	Wholes(cfg config.Config) ([]names.Whole, error)
	// Step decides how one of them is stored, of which the source has the parts.
	Step(p *Plan, w names.Whole, parts []tensor.Tensor) (Step, Source, error)
	// Further reports whether a hybrid's tensors that predict further tokens are stored. If not, it says so among the notes.
	Further(p *Plan) bool
	// Finish adds and orders what depends on the plan as a whole.
	Finish(p *Plan)
	// Files counts the weight files that Write makes with a limit on their size, and refuses more than are opened.
	Files(p *Plan, limit int64) (int, error)
	// Write streams the sources to dst and returns the path that opens them, which may be another.
	Write(ctx context.Context, dst string, p *Plan, opts Options) (result string, err error)
}

// Plan is a conversion that a target thinks through.
type Plan struct {
	From   Origin
	Config config.Config // as the target states it
	Recipe recipe.Recipe
	Texts  Texts

	Overrides  []filetype.Override // dtypes of tensors by their GGUF names
	Importance *imatrix.Matrix     // of the columns of matrices, by GGUF names; nil: none
	Requantize bool                // blocks of another dtype may be quantized again
	MLX        scheme.MLX          // how the matrices of MLX's layout are coded; the zero MLX: they are not

	Steps   []Step
	Sources []Source // one for each step
	Notes   []string // what the target leaves out without changing a result
}

// Origin is the checkpoint that is converted, as far as a target asks.
type Origin struct {
	Path    string
	Config  config.Config   // its own
	Tensors []tensor.Tensor // as they are stored
	Matrix  tensor.DType    // of the embedding, which stands for all matrices
	Keys    []gguf.KV       // of a GGUF file; nil: it is a folder

	// AlwaysF32, unless nil, reports whether its layout stores a tensor as F32 whatever the dtype of the matrices.
	AlwaysF32 func(name string) bool

	wide map[string]bool // of Float32

	Stops  []int64 // the ids that end a text
	Unread error   // what could not be read of these
	// Generation returns its generation_config.json as it is, nil if there is none.
	Generation func() ([]byte, error)
}

// Float32 reports whether a GGUF file says that a tensor was F32 in the folder that it was made of, by the name there.
func (o *Origin) Float32(name string) bool {
	if o.wide == nil {
		o.wide = map[string]bool{}
		v, _ := gguf.Find(o.Keys, gguf.KeyFloat32)
		list, _ := v.Strings() // of another kind: it says nothing
		for _, name := range list {
			o.wide[name] = true
		}
	}
	return o.wide[name]
}

// Step is what happens to one tensor.
type Step struct {
	From      string // name in the source
	File      string // that holds it
	FromDType tensor.DType
	Coding    string // of a source of dtype Coded; else empty
	To        string // name in the target
	DType     tensor.DType
	Shape     []int  // in the target, outermost dimension first
	Transform string // what changes beside name and dtype
}

// Note adds what a target leaves out.
func (p *Plan) Note(text string) { p.Notes = append(p.Notes, text) }

// Add adds a step and its source.
func (p *Plan) Add(step Step, source Source) {
	p.Steps, p.Sources = append(p.Steps, step), append(p.Sources, source)
}

// Sort puts the steps in the order of the names that name gives them.
func (p *Plan) Sort(name func(Step) string, compare func(a, b string) int) {
	order := make([]int, len(p.Steps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(name(p.Steps[a]), name(p.Steps[b])) })
	steps, sources := p.Steps, p.Sources
	p.Steps, p.Sources = make([]Step, len(order)), make([]Source, len(order))
	for i, j := range order {
		p.Steps[i], p.Sources[i] = steps[j], sources[j]
	}
}

// Plain is the step of a tensor that only changes its name and dtype.
func (p *Plan) Plain(w names.Whole, parts []tensor.Tensor, name string, dtype tensor.DType) (Step, Source) {
	return p.StepOf(w, parts, Step{To: name, DType: dtype, Shape: w.Shape}), Cast(parts, name, dtype, w.Shape, nil)
}

// StepOf completes a step with where the tensor comes from.
func (p *Plan) StepOf(w names.Whole, parts []tensor.Tensor, s Step) Step {
	s.From, s.File, s.FromDType = names.ToHF(p.From.Config, parts[0].Name), parts[0].File, Common(parts)
	if s.FromDType == tensor.Coded {
		s.Coding = parts[0].Type()
	}
	if len(parts) > 1 {
		s.From = names.Origin(p.From.Config, w.Parts)
	}
	return s
}

// Merged notes that an adapter changes the values of the step that was added last.
func (p *Plan) Merged() {
	s := &p.Steps[len(p.Steps)-1]
	s.Transform = strings.TrimSuffix("adapter merged, "+s.Transform, ", ")
}

// Common returns the dtype of tensors, or one that holds them all.
func Common(parts []tensor.Tensor) tensor.DType {
	common := parts[0].DType
	for _, t := range parts[1:] {
		switch {
		case t.DType == common:
		case t.DType == tensor.F64 || common == tensor.F64:
			common = tensor.F64
		default:
			common = tensor.F32
		}
	}
	return common
}

// Options say how to write.
type Options struct {
	Force        bool                    // replaces what is at the destination if it is a checkpoint
	MaxShardSize int64                   // bytes of tensors per file; 0: the layout's own
	Progress     func(done, total int64) // called with bytes of tensors written; may be nil
	Threads      int                     // that work on pieces of tensors; 0: all cores
	Inputs       []string                // files and folders that are read: the destination may not fall on one
	Ready        func() error            // unless nil, called when everything is written and before it takes its place
}

// Settled asks whether what is written may take its place.
func (o *Options) Settled() error {
	if o.Ready == nil {
		return nil
	}
	return o.Ready()
}
