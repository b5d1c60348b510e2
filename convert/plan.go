package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Request says what a checkpoint is to become.
type Request struct {
	To    Layout
	DType tensor.DType // of the weights; 0: each keeps its own
	// Recipe, unless zero, says in place of DType which tensor gets which dtype.
	Recipe Recipe
	// Tokenizer is written in place of the source's: a tokenizer.json, a SentencePiece model, a folder with one, or a GGUF
	// file. "": the source's own.
	Tokenizer string
}

// Step is what happens to one tensor.
type Step struct {
	From      string       `json:"from"` // name in the source
	File      string       `json:"file"` // that holds it
	FromDType tensor.DType `json:"from_dtype"`
	To        string       `json:"to"` // name in the target
	DType     tensor.DType `json:"dtype"`
	Shape     []int        `json:"shape"`               // in the target, outermost dimension first
	Transform string       `json:"transform,omitempty"` // what changes beside name and dtype
}

// Plan is a conversion that has been thought through: every tensor, and everything that the target cannot hold.
// Nothing has been read of the weights and nothing written.
type Plan struct {
	Steps []Step   `json:"steps"`
	Notes []string `json:"notes"` // what the target leaves out without changing a result

	ck      *loader.Checkpoint
	cfg     config.Config // as the target states it
	recipe  Recipe
	sources []Source // one for each step
	target  target

	texts      texts
	given      string // where these are from, if not the source; else ""
	tokenizer  []byte // tokenizer.json from the keys of a GGUF file; nil: none
	pieces     []byte // tokenizer.model from these; nil: none
	settings   []byte // tokenizer_config.json from these; nil: none
	generation []byte // generation_config.json

	general, vocabulary, ends []gguf.KV // of a GGUF target
	result                    string    // what Write has written, if not its dst
}

// target is a layout that checkpoints are written in.
type target interface {
	// prepare settles the configuration, and refuses by key what the layout cannot hold.
	prepare(p *Plan) error
	// step decides how one tensor is stored.
	step(p *Plan, spec names.Spec, t tensor.Tensor) (Step, Source)
	// finish adds and orders what only the plan as a whole can tell.
	finish(p *Plan)
	// files counts the weight files that write makes with a limit on their size, and refuses more than are opened.
	files(p *Plan, limit int64) (int, error)
	// write streams the sources to dst.
	write(ctx context.Context, dst string, p *Plan, opts Options) error
	// reopen reads what write has written.
	reopen(dst string) (stored, error)
}

// NewPlan plans a conversion of ck. Errors: those of ck.Check, and a *badfile.UnsupportedError that names the key for
// what the target cannot hold.
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
	t := req.To.target()
	if t == nil {
		return nil, fmt.Errorf("layout %q: expected one of %s", req.To, Layouts())
	}
	p := &Plan{Notes: []string{}, ck: ck, target: t, cfg: harmless(ck.Config()), recipe: req.Recipe}
	if p.recipe.keeps() {
		p.recipe = recipeOf(req.DType)
	}
	if d := p.recipe.DType(); !p.recipe.keeps() && !d.Narrows() {
		return nil, p.unwritable(d)
	}
	p.cfg.Shared().TieWordEmbeddings = ck.Tied()
	if ck.Config().Shared().Rescales() {
		p.Notes = append(p.Notes, "rescale_prenorm_residual is written as false: with true, transformers divides the weights that it loads")
	}
	if err := p.readTexts(req.Tokenizer, req.To != GGUF); err != nil {
		return nil, err
	}
	if err := t.prepare(p); err != nil {
		if e, ok := errors.AsType[*badfile.UnsupportedError](err); ok && e.File == "" {
			e.File = ck.Path() // whose configuration asks for it
		}
		return nil, err
	}
	table, err := names.Table(p.cfg)
	if err != nil {
		return nil, err
	}
	bind := loader.NewBinder(ck)
	for _, spec := range table {
		if spec.Optional {
			continue // the head of a tied model is its embedding
		}
		stored := bind.Take(spec.Name)
		if err := bind.Err(); err != nil {
			return nil, err
		}
		step, source := t.step(p, spec, stored)
		p.Steps, p.sources = append(p.Steps, step), append(p.sources, source)
	}
	t.finish(p)
	return p, nil
}

// unwritable is the error of a request for a dtype that is read and copied, and that values are not rounded to.
func (p *Plan) unwritable(d tensor.DType) error {
	known := slices.DeleteFunc(Recipes(), func(r Recipe) bool { return !r.DType().Narrows() })
	return &badfile.UnsupportedError{File: p.ck.Path(), Where: "dtype",
		Detail: fmt.Sprintf("%s can be read and copied, but values cannot be converted to it; choose %s", d, badfile.Or(known))}
}

// Result returns the path that opens what Write has written to dst: the first part of a GGUF file that was split, or dst.
func (p *Plan) Result(dst string) string { return cmp.Or(p.result, dst) }

// Write carries the plan out. dst, a folder or for GGUF a file, appears when everything is written and synced, or not at
// all. Of a GGUF file that is split, the first part appears last. The source is only read; writing into it or over it is refused. Errors: those of the target's writer, ctx.Err.
func (p *Plan) Write(ctx context.Context, dst string, opts Options) error {
	done, err := use(ctx, opts.Threads, p.ck)
	if err != nil {
		return err
	}
	defer done()
	opts.Inputs = slices.Concat([]string{p.ck.Path()}, p.ck.Files(), opts.Inputs)
	if p.given != "" {
		opts.Inputs = append(opts.Inputs, p.given)
	}
	// Nothing takes its place that may mix old and new bytes of the source.
	opts.ready = p.ck.Changed
	if opts.SkipChecksums {
		return p.target.write(ctx, dst, p, opts)
	}
	// Checksums are read beside the conversion. What is written takes its place when they are right.
	summing, cancel := context.WithCancel(ctx)
	defer cancel()
	sums := make(chan error, 1)
	go func() { sums <- p.ck.CheckSums(summing) }()
	right := sync.OnceValue(func() error { return <-sums })
	opts.ready = func() error { return cmp.Or(right(), p.ck.Changed()) }
	err = p.target.write(ctx, dst, p, opts)
	if _, source := errors.AsType[*badfile.FormatError](err); source {
		return cmp.Or(p.ck.Changed(), right(), err) // of what was found in the source these explain it best
	}
	cancel()
	right() // nothing reads on
	return err
}

// sort puts the steps in the order of the names that name gives them.
func (p *Plan) sort(name func(Step) string, compare func(a, b string) int) {
	order := make([]int, len(p.Steps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(name(p.Steps[a]), name(p.Steps[b])) })
	steps, sources := p.Steps, p.sources
	p.Steps, p.sources = make([]Step, len(order)), make([]Source, len(order))
	for i, j := range order {
		p.Steps[i], p.sources[i] = steps[j], sources[j]
	}
}

// Files returns how many weight files Write makes of tensors with at most maxShardSize bytes in each, as
// Options.MaxShardSize. It is an error if they are more than layout.MaxShards.
func (p *Plan) Files(maxShardSize int64) (int, error) { return p.target.files(p, maxShardSize) }

// Bytes returns the size of the target's tensors.
func (p *Plan) Bytes() int64 {
	var n int64
	for _, s := range p.sources {
		n += s.bytes()
	}
	return n
}

// plain is the step of a tensor that only changes its name and dtype.
func plain(spec names.Spec, t tensor.Tensor, name string, dtype tensor.DType) (Step, Source) {
	return Step{From: t.Name, File: t.File, FromDType: t.DType, To: name, DType: dtype, Shape: spec.Shape},
		cast(t, name, dtype, spec.Shape, nil)
}

// dtypeName spells a dtype as config.json does.
func dtypeName(d tensor.DType) (string, error) {
	if d.Float() && d.Torch() != "" {
		return d.Torch(), nil
	}
	return "", fmt.Errorf("config.json has no name for dtype %s", d)
}
