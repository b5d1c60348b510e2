package convert

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Layout names a way to store a checkpoint.
type Layout string

// The layouts that checkpoints are written in.
const (
	HF       Layout = "hf"       // a folder as save_pretrained of transformers writes it
	Original Layout = "original" // a folder as mamba_ssm's save_pretrained writes it
	Mistral  Layout = "mistral"  // a folder as Mamba-Codestral was released, Mamba-2 only
	GGUF     Layout = "gguf"     // a file as llama.cpp's converter writes it
)

// targets are the layouts that can be written, in the order in which they are listed.
var targets = []struct {
	layout Layout
	target target
}{
	{HF, hfTarget{}},
	{Original, originalTarget{}},
	{Mistral, mistralTarget{}},
	{GGUF, ggufTarget{}},
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

// Guess returns the layout that a destination's name asks for: GGUF for a .gguf file, else HF.
func Guess(dst string) Layout {
	if strings.EqualFold(filepath.Ext(dst), ".gguf") {
		return GGUF
	}
	return HF
}

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

func (hfTarget) files(p *Plan, limit int64) (int, error) {
	sources, err := inOrder(p.cfg, p.sources)
	if err != nil {
		return 0, err
	}
	n := len(split(sources, cmp.Or(limit, DefaultShardSize)))
	return n, checkFiles(n)
}

// prepare states the dtype that all tensors will have; where they keep several, it stands as the source has it.
func (hfTarget) prepare(p *Plan) error {
	dtype := p.recipe.DType()
	if dtype.Quantized() {
		return &badfile.UnsupportedError{Where: "dtype", Detail: fmt.Sprintf("only GGUF has %s; write a .gguf file, or choose f32, f16 or bf16", dtype)}
	}
	if dtype == 0 && p.ck.Layout() == string(GGUF) {
		dtype = matrixDType(p.ck)
		if blocks := quantized(p.ck); len(blocks) > 0 {
			dtype = tensor.F32
			p.Notes = append(p.Notes, fmt.Sprintf("only GGUF has %[1]s: the weights are written as F32, each value as %[1]s has it; "+
				"what quantizing lost does not come back", badfile.Or(blocks)))
		}
	}
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

// step keeps names and shapes. What GGUF always stores as F32 goes back to the dtype of the matrices where no value is
// lost by that: it came from there. Where matrices are quantized everything becomes F32.
func (hfTarget) step(p *Plan, spec names.Spec, t tensor.Tensor) (Step, Source) {
	dtype := p.recipe.choose(t.DType, spec.Shape)
	if p.recipe.keeps() && p.ck.Layout() == string(GGUF) {
		if len(quantized(p.ck)) > 0 {
			dtype = tensor.F32
		} else if stored, ok := names.ToGGUF(p.cfg, spec.Name); ok && stored.F32 && survives(t, matrixDType(p.ck)) {
			dtype = matrixDType(p.ck)
		}
	}
	return plain(spec, t, spec.Name, dtype)
}

// quantized returns the dtypes among a checkpoint's weights that only GGUF can store.
func quantized(ck *loader.Checkpoint) []tensor.DType {
	var blocks []tensor.DType
	for _, t := range ck.Tensors() {
		if t.DType.Quantized() && !slices.Contains(blocks, t.DType) {
			blocks = append(blocks, t.DType)
		}
	}
	return blocks
}

// matrixDType is the dtype of a checkpoint's embedding, which in GGUF stands for all matrices.
func matrixDType(ck *loader.Checkpoint) tensor.DType {
	t, _ := ck.Tensor(names.Embedding) // of a checked checkpoint
	return t.DType
}

// survives reports whether every value of t is the same after a trip through dtype.
func survives(t tensor.Tensor, dtype tensor.DType) bool {
	if !dtype.Float() || !t.DType.Float() {
		return false
	}
	values := tensor.Float32s(t)
	there := make([]byte, len(values)*dtype.Size())
	tensor.NarrowF32(there, dtype, values)
	back := make([]float32, len(values))
	tensor.WidenF32(back, dtype, there)
	for i, v := range values {
		if math.Float32bits(v) != math.Float32bits(back[i]) {
			return false
		}
	}
	return true
}

func (hfTarget) finish(*Plan) {}

func (hfTarget) write(ctx context.Context, dst string, p *Plan, opts Options) error {
	opts.beside = func(dir *atomicfile.Dir) error { return p.beside(dir, true) }
	return WriteHF(ctx, dst, p.cfg, p.sources, opts)
}
