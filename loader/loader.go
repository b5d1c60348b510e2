// Package loader opens Mamba checkpoints read-only, whatever layout they are in, and binds their tensors.
//
//	ck, err := loader.Open("mamba-130m-hf", loader.Options{})
//	defer ck.Close()
//	b := loader.NewBinder(ck)
//	embeddings := b.Take("backbone.embeddings.weight")
//	err = b.Err()
//
// Opening reads the configuration and the headers of the weight files, and checks every tensor's name, shape and dtype
// by the table of internal/names. Tensor data is mapped and not touched, so an 11 GB checkpoint opens in milliseconds.
// Files that cannot be read as what they claim to be fail Open; contradictions between configuration and tensors are
// collected as Problems, so that a checkpoint that cannot be run can still be looked at.
package loader

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/adapter"
	"github.com/gomamba/gomamba/internal/gate"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layouts"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// Options configure how a checkpoint is opened and checked.
type Options struct {
	Strict bool // a foreign tensor, such as a stray buffer, is an error instead of a warning
	// TrustTensors rebuilds the sizes and switches of the configuration from the tensors where they contradict it.
	TrustTensors bool
	// Adapter is the folder of an adapter of PEFT, whose changes to the weights the checkpoint has from then on. Empty: the one
	// that lies beside the weights, if there is one, as transformers does.
	Adapter string
	// BaseAlone leaves an adapter beside the weights alone.
	BaseAlone bool
}

// Checkpoint is an open checkpoint. Its methods may be called from many goroutines. After Close they fail with ErrClosed
// or return nothing.
type Checkpoint struct {
	path    string
	layout  layout.Layout
	cfg     config.Config
	weights *layout.Weights
	tensors []tensor.Tensor // of the weights, taken apart to those of the name table

	spec  map[string]names.Spec // the name table of cfg
	found map[string]int        // name in the table to index in tensors

	copied func(name string) (original string, ok bool) // of tensors that several layers share: names.Copies

	further []tensor.Tensor // see Further

	adapter *adapter.Adapter // nil: none
	faults  []fault
	head    func() headState
	gate    gate.Gate
}

// Open opens the checkpoint at path: its folder, its config.json or one of its weight files, or a GGUF file. A weight file can
// have any name; so can the only weight file in a folder. Errors: *badfile.FormatError and *badfile.UnsupportedError for what
// the files hold, and wrapped I/O errors. Contradictions with the configuration are not errors of Open; see Problems and Check.
func Open(path string, opts Options) (*Checkpoint, error) {
	src, l, err := layouts.Detect(path)
	if err != nil {
		return nil, err
	}
	cfg, w, err := l.Open(src)
	if err != nil {
		return nil, err
	}
	w.NoteConfig(cfg)
	if opts.TrustTensors {
		fitted := layout.Fit(cfg, w.Tensors)
		w.NoteFitted(cfg, fitted)
		cfg = fitted
	}
	a, err := adapt(src, cfg, w, opts)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	ck, err := assemble(src.Dir, l, cfg, w, opts)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	ck.adapter = a
	return ck, nil
}

func init() {
	layout.NewCheckpoint = func(path, name string, cfg config.Config, w *layout.Weights) (any, error) {
		l, _ := layouts.Named(name)
		return assemble(path, l, cfg, w, Options{})
	}
	layout.Inside = func(checkpoint any) *layout.Opened { return checkpoint.(*Checkpoint).inside() }
}

// assemble judges weights by a configuration.
func assemble(path string, l layout.Layout, cfg config.Config, w *layout.Weights, opts Options) (*Checkpoint, error) {
	ck := &Checkpoint{path: path, layout: l, cfg: cfg, weights: w}
	if err := ck.examine(opts); err != nil {
		return nil, err
	}
	ck.head = sync.OnceValue(ck.compareHead)
	return ck, nil
}

// Config returns a copy of the configuration, resolved and valid.
func (ck *Checkpoint) Config() config.Config { return ck.cfg.Clone() }

// Layout returns the name of the layout: "hf", "mlx", "original", "mistral", "gguf" or "megatron".
func (ck *Checkpoint) Layout() string { return ck.layout.Name }

// FileType returns llama-quantize's name for the dtypes of a GGUF file together, such as Q4_K_M, as the file states it. It is
// empty for other layouts, and if the file does not state one.
func (ck *Checkpoint) FileType() string { return ck.weights.FileType }

// inside is what the layout opened.
func (ck *Checkpoint) inside() *layout.Opened {
	o := &layout.Opened{Path: ck.path, Layout: ck.layout, Config: ck.cfg, Weights: ck.weights}
	if ck.usable() != nil {
		o.Weights = &layout.Weights{}
	}
	return o
}

// StopTokens returns the ids that end a text, sorted. For a folder they are those at which transformers' generate() stops:
// eos_token_id of generation_config.json or, if that cannot be read, of config.json. For a GGUF file they are those at which
// llama.cpp stops, and those in our own key. If there is an error, it says what could not be read, and the ids are still valid.
func (ck *Checkpoint) StopTokens() (ids []int64, err error) {
	ids, err = ck.layout.Stops(ck.inside())
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// Path returns the folder of the checkpoint, or the file if the layout is a single file.
func (ck *Checkpoint) Path() string { return ck.path }

// Tensors returns every tensor as it is stored, including foreign ones, in the order of the files: shards by name, tensors by
// offset. The slice must not be changed. Data is a read-only view of a mapped file; only read it between Hold and Release, or
// before Close. After Close there are no tensors.
func (ck *Checkpoint) Tensors() []tensor.Tensor {
	if ck.usable() != nil {
		return nil
	}
	if ck.weights.Listed != nil {
		return ck.weights.Listed
	}
	return ck.weights.Tensors
}

// Tensor returns the stored tensor with a given Hugging Face name. Its name in the file may lack "backbone.", as it does if it
// was saved from the bare model class.
func (ck *Checkpoint) Tensor(name string) (tensor.Tensor, bool) {
	i, ok := ck.found[name]
	if !ok || ck.usable() != nil {
		return tensor.Tensor{}, false
	}
	return ck.tensors[i], true
}

// Further returns the tensors that let a hybrid predict further tokens, whose names begin with "mtp.". transformers ignores
// them and no model here runs them, but copies keep them. Their data has the same lifetime as that of Tensors.
func (ck *Checkpoint) Further() []tensor.Tensor {
	if ck.usable() != nil {
		return nil
	}
	return ck.further
}

// Scheme is a way in which another program stores quantized weights, and the number of weights stored that way.
type Scheme = scheme.Found

// Schemes lists the schemes of quantized weights that are stored as several tensors each. Tensors returns such weights as
// single tensors of dtype tensor.Coded.
func (ck *Checkpoint) Schemes() []Scheme { return ck.weights.Schemes }

// Activations lists the tensors that other programs use to scale activations before rounding them. gomamba does not round
// activations, so it leaves these out.
func (ck *Checkpoint) Activations() []string { return ck.weights.Activations }

// ReadAhead asks the operating system to start reading the weights into memory. It returns at once and promises nothing.
func (ck *Checkpoint) ReadAhead() {
	if ck.Hold() != nil {
		return
	}
	defer ck.Release()
	for _, f := range ck.weights.Files {
		if mapped, ok := f.(interface{ ReadAhead() }); ok {
			mapped.ReadAhead()
		}
	}
}

// Changed reports the first file that was truncated, rewritten or replaced since Open, and how.
func (ck *Checkpoint) Changed() error {
	if err := ck.Hold(); err != nil {
		return err
	}
	defer ck.Release()
	for _, f := range ck.weights.Files {
		if err := f.Changed(); err != nil {
			return err
		}
	}
	return nil
}

// CheckSums reads every byte of the files that have checksums, which are PyTorch's zip archives. It reports the first that is
// damaged, or ctx.Err.
func (ck *Checkpoint) CheckSums(ctx context.Context) error {
	if err := ck.Hold(); err != nil {
		return err
	}
	defer ck.Release()
	for _, f := range ck.weights.Files {
		if summed, ok := f.(interface {
			VerifyCRC(ctx context.Context, names ...string) error
		}); ok {
			if err := summed.VerifyCRC(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close releases the files once everything that uses or holds them has finished. The data of tensors must not be used
// afterwards. A second Close does nothing.
func (ck *Checkpoint) Close() error {
	if ck == nil {
		return errNil
	}
	return ck.gate.Close(ck.weights.Close)
}
