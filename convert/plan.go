package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/convert/recipe"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/internal/filetype"
	"github.com/gomamba/gomamba/internal/imatrix"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/layouts"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Request says what to convert a checkpoint to.
type Request struct {
	To    Layout
	DType tensor.DType // of the weights; 0: each keeps its own
	// Recipe, unless zero, says in place of DType which tensor gets which dtype.
	Recipe Recipe
	// Tokenizer is written in place of the source's: a tokenizer.json, a SentencePiece model, a folder with one, or a GGUF
	// file. "": the source's own.
	Tokenizer string

	// Vocabulary pads or cuts the rows of embedding and head.
	Vocabulary Vocabulary

	// Groups quantizes the matrices of mlx-lm's layout. DType is then that of the other weights, and of scales.
	Groups Groups

	// Requantize allows quantizing what is quantized already in another way, which adds to what was lost.
	Requantize bool

	// The rest is for GGUF files.

	// TensorTypes give single tensors other dtypes than the recipe does; the first that matches a tensor decides.
	TensorTypes []TensorType
	// Importance is a file with the mean squares of the inputs of the matrices, which a quantizer spends its error by: an
	// importance matrix of llama.cpp, in GGUF or .dat form, or one that package model/importance has written. "": none.
	Importance string
}

// Step is what happens to one tensor.
type Step struct {
	From      string       `json:"from"` // name in the source
	File      string       `json:"file"` // that holds it
	FromDType tensor.DType `json:"from_dtype"`
	Coding    string       `json:"coding,omitempty"` // of a source that is stored in several tensors, such as "NVFP4"
	To        string       `json:"to"`               // name in the target
	DType     tensor.DType `json:"dtype"`
	Shape     []int        `json:"shape"`               // in the target, outermost dimension first
	Transform string       `json:"transform,omitempty"` // what changes beside name and dtype
}

// Plan is a conversion that has been planned tensor by tensor. Making it reads hardly any weights and writes nothing.
type Plan struct {
	Steps []Step   `json:"steps"`
	Notes []string `json:"notes"` // what the target leaves out without changing a result

	ck     *loader.Checkpoint
	plan   write.Plan
	target write.Target
	result string // what Write has written, if not its dst
}

// NewPlan plans a conversion of ck. Errors: those of ck.Check, and a *badfile.UnsupportedError that names the key if the target
// cannot hold something.
func NewPlan(ck *loader.Checkpoint, req Request) (p *Plan, err error) {
	if err := ck.Hold(); err != nil {
		return nil, err
	}
	defer ck.Release()
	err = mmap.Guard(func() (err error) { // what a GGUF file keeps in F32 is looked at
		p, err = newPlan(ck, req)
		return err
	})
	return p, err
}

func newPlan(ck *loader.Checkpoint, req Request) (*Plan, error) {
	if err := ck.Check(); err != nil {
		return nil, err
	}
	to, ok := layouts.Named(string(req.To))
	if !ok || to.NewTarget == nil {
		return nil, fmt.Errorf("layout %q: expected one of %s", req.To, Layouts())
	}
	p := draft(ck)
	if p.Recipe = req.Recipe; p.Recipe.Keeps() {
		p.Recipe = recipe.Of(req.DType)
	}
	if p.From.Config.Shared().Rescales() {
		p.Note("rescale_prenorm_residual is written as false: with true, transformers divides the weights that it loads")
	}
	p.Config.Shared().VocabSize = req.Vocabulary.of(p.From.Config.Shared().VocabSize)
	if err := p.ReadTexts(req.Tokenizer, to.Ending == ""); err != nil {
		return nil, err
	}
	used, err := settleVocabulary(ck, p)
	if err != nil {
		return nil, err
	}
	for _, t := range req.TensorTypes {
		p.Overrides = append(p.Overrides, filetype.Override(t))
	}
	p.Requantize, p.MLX = req.Requantize, req.Groups
	if req.Importance != "" {
		m, err := imatrix.Open(req.Importance)
		if err != nil {
			return nil, err
		}
		defer m.Close() // what is needed of it is copied
		p.Importance = m
	}
	target := to.NewTarget()
	if err := prepare(req.To, target, p); err != nil {
		return nil, err
	}
	if err := fill(p, target, ck, used); err != nil {
		return nil, err
	}
	steps := make([]Step, len(p.Steps))
	for i, s := range p.Steps {
		steps[i] = Step(s)
	}
	return &Plan{Steps: steps, Notes: p.Notes, ck: ck, plan: *p, target: target}, nil
}

// fill lets a target decide about every tensor. used is how many ids stand for something.
func fill(p *write.Plan, target write.Target, ck *loader.Checkpoint, used int) error {
	wholes, err := target.Wholes(p.Config)
	if err != nil {
		return err
	}
	add := func(w names.Whole, parts ...tensor.Tensor) error {
		step, source, err := target.Step(p, w, parts)
		if err == nil {
			p.Add(step, source)
		}
		return err
	}
	bind := loader.NewBinder(ck)
	for _, w := range wholes {
		if w.Optional {
			continue // the head of a tied model is its embedding
		}
		var parts []tensor.Tensor
		for _, spec := range w.Parts {
			parts = append(parts, bind.Take(spec.Name))
		}
		if err := bind.Err(); err != nil {
			return err
		}
		if name := w.Parts[0].Name; name == names.Embedding || name == names.Head {
			parts[0] = resized(parts[0], w.Shape[0], used)
		}
		if err := add(w, parts...); err != nil {
			return err
		}
		if slices.ContainsFunc(w.Parts, func(spec names.Spec) bool { return bind.Apart().Delta(spec.Name) != nil }) {
			p.Merged()
		}
	}
	further := ck.Further()
	if len(further) > 0 && !target.Further(p) {
		further = nil
	}
	for _, t := range further {
		if err := add(names.Single(names.Spec{Name: t.Name, Shape: t.Shape, Layer: -1}), t); err != nil {
			return err
		}
	}
	target.Finish(p)
	for i, s := range p.Steps {
		p.Sources[i].From, p.Sources[i].File = ck.StoredName(s.From), s.File
	}
	return nil
}

// originOf is a checkpoint as targets see it.
func originOf(ck *loader.Checkpoint) write.Origin {
	o := layout.Inside(ck)
	from := write.Origin{Path: o.Path, Config: o.Config, Tensors: ck.Tensors(), Keys: o.Weights.Keys}
	embedding, _ := ck.Tensor(names.Embedding) // of a checked checkpoint
	from.Matrix = embedding.DType
	if always := o.Layout.AlwaysF32; always != nil {
		from.AlwaysF32 = func(name string) bool { return always(o.Config, name) }
	}
	from.Stops, from.Unread = ck.StopTokens()
	from.Generation = func() ([]byte, error) { return o.Layout.Generation(o) }
	return from
}

// Result returns the path to open after Write has written to dst: the first part of a split GGUF file, or dst.
func (p *Plan) Result(dst string) string { return cmp.Or(p.result, dst) }

// Write carries out the plan. dst, a folder or for GGUF a file, appears when everything is written and synced, or not at all.
// If a GGUF file is split, its first part appears last. The source is only read; writing into it or over it is refused. Errors:
// those of the target's writer, and ctx.Err.
func (p *Plan) Write(ctx context.Context, dst string, opts Options) error {
	done, err := call.Begin(ctx, "convert", opts.Threads, p.ck)
	if err != nil {
		return err
	}
	defer done()
	how := opts.how()
	how.Inputs = p.inputs(opts)
	write := func() error {
		result, err := p.target.Write(ctx, dst, &p.plan, how)
		if err == nil {
			p.result = result
		}
		return err
	}
	// Nothing takes its place that may mix old and new bytes of the source.
	how.Ready = p.ck.Changed
	if opts.SkipChecksums {
		return write()
	}
	// Checksums are read beside the conversion. What is written takes its place when they are right.
	summing, cancel := context.WithCancel(ctx)
	defer cancel()
	sums := make(chan error, 1)
	go func() { sums <- p.ck.CheckSums(summing) }()
	right := sync.OnceValue(func() error { return <-sums })
	how.Ready = func() error { return cmp.Or(right(), p.ck.Changed()) }
	err = write()
	if _, source := errors.AsType[*badfile.FormatError](err); source {
		return cmp.Or(p.ck.Changed(), right(), err) // of what was found in the source these explain it best
	}
	cancel()
	right() // nothing reads on
	return err
}

// inputs are the files and folders that are read.
func (p *Plan) inputs(opts Options) []string {
	list := slices.Concat([]string{p.ck.Path()}, p.ck.Files(), opts.Inputs)
	if given := p.plan.Texts.Given; given != "" {
		list = append(list, given)
	}
	if m := p.plan.Importance; m != nil {
		list = append(list, m.Path())
	}
	return list
}

// CheckDestination reports whether Write refuses dst because of where it lies: in a folder that does not exist, in the source, or on
// another file that is read. What is at dst already is not judged.
func (p *Plan) CheckDestination(dst string, opts Options) error {
	return atomicfile.Apart(dst, p.inputs(opts)...)
}

// Files returns how many weight files Write makes if each holds at most maxShardSize bytes of tensors (see
// Options.MaxShardSize). It is an error if there are more than a checkpoint may have.
func (p *Plan) Files(maxShardSize int64) (int, error) { return p.target.Files(&p.plan, maxShardSize) }

// Bytes returns the size of the target's tensors.
func (p *Plan) Bytes() int64 {
	var n int64
	for _, s := range p.plan.Sources {
		n += s.Bytes()
	}
	return n
}
