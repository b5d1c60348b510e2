// Package convert writes checkpoints. Each is streamed: no tensor is ever in memory as a whole, and the destination
// appears complete or not at all.
package convert

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert/recipe"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/internal/filetype"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/original"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/layouts"
	"github.com/gomamba/gomamba/internal/quantize"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// Layout names a way to store a checkpoint.
type Layout string

// The layouts that checkpoints are written in.
const (
	HF       Layout = "hf"       // a folder as save_pretrained of transformers writes it
	Original Layout = "original" // a folder as mamba_ssm's save_pretrained writes it
	// OriginalSafetensors is that with the weights in model.safetensors.
	OriginalSafetensors Layout = "original-safetensors"
	Mistral             Layout = "mistral" // a folder as Mamba-Codestral was released, Mamba-2 only
	GGUF                Layout = "gguf"    // a file as llama.cpp's converter writes it
	MLX                 Layout = "mlx"     // a folder as mlx_lm.convert writes it
)

// Layouts lists the layouts that can be written.
func Layouts() string {
	var names []string
	for _, l := range written() {
		names = append(names, string(l))
	}
	return strings.Join(names, ", ")
}

// written are the layouts that can be written, the default first.
func written() []Layout {
	list := []Layout{layouts.Default}
	for _, l := range layouts.All {
		if l.Name != layouts.Default && l.NewTarget != nil {
			list = append(list, Layout(l.Name))
		}
	}
	return list
}

// Valid reports whether l can be written.
func (l Layout) Valid() bool {
	known, ok := layouts.Named(string(l))
	return ok && known.NewTarget != nil
}

// OneFile reports whether the layout keeps all weights in one file, whatever their size.
func (l Layout) OneFile() bool {
	layout, _ := layouts.Named(string(l))
	return layout.OneFile
}

// Guess returns the layout that the name of a destination suggests: GGUF if it ends in .gguf, else HF. Default also asks whether
// the model fits in there.
func Guess(dst string) Layout {
	for _, l := range layouts.All {
		if l.Ending != "" && strings.EqualFold(filepath.Ext(dst), l.Ending) {
			return Layout(l.Name)
		}
	}
	return layouts.Default
}

// Recipe says which dtype each tensor gets. With the zero Recipe each keeps its own.
type Recipe = recipe.Recipe

// Recipes lists the recipes that can be asked for by name.
func Recipes() []Recipe { return recipe.All() }

// ParseRecipe returns the recipe with a given name. It also accepts the names that PyTorch and other tools use for a dtype,
// such as bfloat16 or fp32. Case does not matter.
func ParseRecipe(name string) (r Recipe, ok bool) { return recipe.Parse(name) }

// Groups says how mlx-lm quantizes matrices: the mode, the bits of a code, and how many columns share a scale. The zero Groups
// does not quantize them.
type Groups = scheme.MLX

// ParseGroups fills in defaults as mlx_lm.convert does: an empty mode is affine, and 0 bits and columns are the defaults of the
// mode, which for affine are 4 and 64.
func ParseGroups(mode string, bits, columns int) (Groups, error) {
	return scheme.ParseMLX(mode, bits, columns)
}

// TensorType gives a dtype, or its fallback if their rows are not whole blocks, to the matrices whose names in a GGUF file
// match a pattern.
type TensorType struct {
	Pattern *regexp.Regexp
	DType   tensor.DType
}

// ParseTensorType reads a TensorType in llama-quantize's notation, such as "ssm_out=q6_k" or `blk\.[0-3]\.=q8_0`: a regular
// expression that may match anywhere in a name, and a ggml type. Case does not matter.
func ParseTensorType(s string) (t TensorType, err error) {
	pattern, name, found := strings.Cut(s, "=")
	if !found || pattern == "" {
		return t, fmt.Errorf("%q: expected PATTERN=TYPE, such as ssm_out=q6_k", s)
	}
	_, err = regexp.Compile(pattern) // its error quotes what was given
	if err == nil {
		t.Pattern, err = regexp.Compile(filetype.AnyCase + pattern)
	}
	if err != nil {
		return t, err
	}
	var known []string
	for _, d := range tensorDTypes() {
		if strings.EqualFold(name, d.String()) {
			t.DType = d
			return t, nil
		}
		known = append(known, strings.ToLower(d.String()))
	}
	return t, fmt.Errorf("type %q: expected %s%s", name, badfile.Or(known), badfile.DidYouMean(name, known))
}

// tensorDTypes lists the dtypes that a TensorType may have.
func tensorDTypes() (dtypes []tensor.DType) {
	for d := range tensor.DTypes() {
		if _, ok := d.GGML(); ok && (quantize.Supports(d) || d == tensor.F32 || d == tensor.F16 || d == tensor.BF16) {
			dtypes = append(dtypes, d)
		}
	}
	return dtypes
}

// What NewPlan refuses by these errors, as errors.Is reports, needs more in its Request.
var (
	ErrNoImportance = write.ErrNoImportance // Importance
	ErrRequantizes  = write.ErrRequantizes  // Requantize
)

// Source is a tensor to be written.
type Source struct {
	Name  string // as in internal/names, such as "backbone.layers.0.mixer.A_log"
	DType tensor.DType
	Shape []int
	// Write hands the little-endian elements to emit, in order and in pieces of any size, and stops at emit's first
	// error. A piece may be overwritten when emit returns. Several sources are written at a time.
	Write func(emit func(piece []byte) error) error
}

// Options configure how a checkpoint is written.
type Options struct {
	// Force replaces what is at the destination, once the new checkpoint is complete: a checkpoint's folder with nothing
	// else in it, or a GGUF file. Anything else is refused.
	Force        bool
	MaxShardSize int64                   // bytes of tensors per file; 0 means DefaultShardSize, for GGUF one file
	Progress     func(done, total int64) // told about bytes of tensors written; may be nil

	Threads int // that work on pieces of tensors; 0: all cores. The bytes written are the same

	// SkipChecksums leaves the checksums of the source unread, which saves reading it once more if it has them.
	SkipChecksums bool

	// Inputs are files and folders that are read, beside the source of a Plan: the destination may not fall on one.
	Inputs []string
}

// how are the options as a target takes them.
func (o Options) how() write.Options {
	return write.Options{Force: o.Force, MaxShardSize: o.MaxShardSize, Progress: o.Progress, Threads: o.Threads, Inputs: o.Inputs}
}

// DefaultShardSize is the default of save_pretrained in transformers 5.24: 50 GB.
const DefaultShardSize = hf.DefaultShardSize

// WriteHF writes the folder dst as save_pretrained of transformers 5.24 would: config.json, generation_config.json and
// model.safetensors, or shards with their index when the tensors take more than MaxShardSize. Whatever the order of the
// sources, the bytes of the weights and the shards are those of save_pretrained for a model built from its
// configuration. (A model that was itself loaded it shards in the order of sorted names.)
//
// The sources must be the tensors that the name table wants for cfg, a tied head being optional; cfg.DType is written as
// it stands, rescale_prenorm_residual as false (see config.Common.Rescales). dst appears when everything is written and
// synced; on an error, or when ctx is cancelled, nothing is left. Errors: those of cfg.EncodeHF, *badfile.FormatError for
// sources that contradict cfg, ctx.Err, wrapped I/O errors, and what a source returns.
func WriteHF(ctx context.Context, dst string, cfg config.Config, sources []Source, opts Options) error {
	return writeNew(ctx, cfg, sources, opts, func(given []write.Source) error {
		return hf.Write(ctx, dst, cfg, given, opts.how(), nil)
	})
}

// WriteOriginal is WriteHF for the original layout: config.json with the keys of mamba_ssm, and pytorch_model.bin with the weights
// in the order of its state dict. Errors are those of cfg.EncodeOriginal in place of cfg.EncodeHF.
func WriteOriginal(ctx context.Context, dst string, cfg config.Config, sources []Source, opts Options) error {
	return writeNew(ctx, cfg, sources, opts, func(given []write.Source) error {
		return original.Write(ctx, dst, cfg, given, opts.how())
	})
}

// writeNew hands the sources of a new model to a writer.
func writeNew(ctx context.Context, cfg config.Config, sources []Source, opts Options, to func([]write.Source) error) error {
	done, err := call.Begin(ctx, "convert", opts.Threads)
	if err != nil {
		return err
	}
	defer done()
	if cfg == nil {
		return errors.New("convert: the configuration is nil")
	}
	given := make([]write.Source, len(sources))
	for i, s := range sources {
		given[i] = write.Source{Name: s.Name, DType: s.DType, Shape: s.Shape, Write: s.Write}
	}
	return to(given)
}
