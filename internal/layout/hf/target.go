// Package hf is the layout of transformers: config.json and model.safetensors, or shards with an index.
package hf

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/fold"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// Target writes what Write writes. Other folders of plain tensors build on it.
type Target struct{}

func newTarget() write.Target { return Target{} }

// Files implements write.Target.
func (Target) Files(p *write.Plan, limit int64) (int, error) {
	sources, err := InOrder(p.Config, p.Sources)
	if err != nil {
		return 0, err
	}
	n := len(Split(sources, cmp.Or(limit, DefaultShardSize), names.Together(p.Config)))
	return n, write.CheckFiles(n)
}

// Prepare refuses by key what transformers does not have, and states the dtype.
func (Target) Prepare(p *write.Plan) error {
	if p.From.Keys != nil {
		p.Config = config.OutOfGGUF(p.Config)
		if lost := config.Lost(p.Config); lost != "" {
			p.Note(lost)
		}
	}
	if _, err := p.Config.EncodeHF(); err != nil {
		return err
	}
	return stateDType(p)
}

// stateDType states the dtype that all tensors will have; where they keep several, it stands as the source has it.
func stateDType(p *write.Plan) error {
	dtype := p.Recipe.DType()
	switch {
	case dtype.Quantized():
		return &badfile.UnsupportedError{Where: "dtype", Detail: fmt.Sprintf("only GGUF has %s; write a .gguf file, or choose f32, f16 or bf16", dtype)}
	case len(p.Overrides) > 0:
		return &badfile.UnsupportedError{Where: "tensor type", Detail: "only in GGUF files do tensors have dtypes of their own"}
	case p.MLX.Mode != "":
		return write.OnlyMLX()
	case p.Importance != nil:
		return &badfile.UnsupportedError{Where: "importance matrix", Detail: "is of use only if weights are quantized, and only GGUF has blocks"}
	}
	blocks := quantized(p.From.Tensors)
	if dtype == 0 && len(blocks) > 0 {
		dtype = tensor.F32
	} else if dtype == 0 && p.From.AlwaysF32 != nil {
		dtype = p.From.Matrix
	}
	if len(blocks) > 0 {
		how := "each value as %[1]s has it"
		if dtype != tensor.F32 && dtype != tensor.F64 {
			how = "rounded from the values of %[1]s"
		}
		only := "only GGUF has %[1]s"
		if slices.ContainsFunc(p.From.Tensors, func(t tensor.Tensor) bool { return t.Coding != nil }) {
			only = "this layout is not written with %[1]s"
		}
		if !slices.ContainsFunc(p.From.Tensors, func(t tensor.Tensor) bool {
			_, ours := scheme.StreamsOf(t)
			return t.DType.Quantized() && !ours
		}) {
			only = "only the layout mlx has %[1]s"
		}
		p.Note(fmt.Sprintf(only+": the weights are written as %[2]s, "+how+"; what quantizing lost does not come back", badfile.Or(blocks), dtype))
	}
	if dtype == 0 {
		for _, t := range p.From.Tensors {
			if dtype != 0 && t.DType != dtype {
				return nil
			}
			dtype = t.DType
		}
	}
	name, err := dtypeName(dtype)
	p.Config.Shared().DType = name
	return err
}

// dtypeName spells a dtype as config.json does.
func dtypeName(d tensor.DType) (string, error) {
	if d.Float() && d.Torch() != "" {
		return d.Torch(), nil
	}
	return "", fmt.Errorf("config.json has no name for dtype %s", d)
}

// Wholes implements write.Target.
func (Target) Wholes(cfg config.Config) ([]names.Whole, error) { return names.InHF(cfg) }

// Further implements write.Target.
func (Target) Further(*write.Plan) bool { return true }

// Step keeps names and shapes. What the source's layout always stores as F32 goes back to the dtype of the matrices if no
// value is lost by that: it came from there, unless the source says otherwise. Where matrices are quantized everything becomes F32.
func (Target) Step(p *write.Plan, w names.Whole, parts []tensor.Tensor) (write.Step, write.Source, error) {
	if config.Folded(p.From.Config) {
		for i, t := range parts {
			parts[i] = fold.OutOf(p.Config, w.Parts[i].Name, t)
		}
	}
	dtype := p.Recipe.Choose(write.Common(parts))
	if p.Recipe.Keeps() {
		if len(quantized(p.From.Tensors)) > 0 {
			dtype = tensor.F32
		} else if p.From.AlwaysF32 != nil && p.From.AlwaysF32(w.Parts[0].Name) && !p.From.Float32(names.ToHF(p.Config, w.Name)) &&
			survives(parts, p.From.Matrix) {
			dtype = p.From.Matrix
		}
	}
	step, source := p.Plain(w, parts, names.ToHF(p.Config, w.Name), dtype)
	return step, source, nil
}

// quantized returns what is quantized among a checkpoint's weights, which are plain in this layout.
func quantized(tensors []tensor.Tensor) []string {
	var blocks []string
	for _, t := range tensors {
		if t.DType.Quantized() && !slices.Contains(blocks, t.Type()) {
			blocks = append(blocks, t.Type())
		}
	}
	return blocks
}

// survives reports whether every value of some tensors is the same after a trip through dtype.
func survives(parts []tensor.Tensor, dtype tensor.DType) bool {
	return !slices.ContainsFunc(parts, func(t tensor.Tensor) bool { return !survivesOne(t, dtype) })
}

func survivesOne(t tensor.Tensor, dtype tensor.DType) bool {
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

// Finish implements write.Target.
func (Target) Finish(*write.Plan) {}

// Write implements write.Target.
func (Target) Write(ctx context.Context, dst string, p *write.Plan, opts write.Options) (string, error) {
	return dst, Write(ctx, dst, p.Config, p.Sources, opts, func(dir *atomicfile.Dir) error { return p.Beside(dir, true) })
}
