package mlx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/fold"
	"github.com/gomamba/gomamba/internal/layout/hf"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// target writes what mlx_lm.convert writes: plain weights, or codes of mx.quantize.
type target struct {
	hf.Target
	coded map[string]scheme.MLX // by module
	sizes map[string]int        // parameters by the name of the weight, for the index
	odd   int                   // matrices whose rows are not whole groups
}

func newTarget() write.Target {
	return &target{coded: map[string]scheme.MLX{}, sizes: map[string]int{}}
}

// Prepare refuses by key what mlx-lm cannot hold.
func (t *target) Prepare(p *write.Plan) error {
	if p.Recipe.DType() == tensor.F64 {
		return &badfile.UnsupportedError{Where: "dtype", Detail: "mlx-lm does not have F64; choose f32, f16 or bf16"}
	}
	if held := config.InMLX(p.Config); held != p.Config {
		p.Config = held
		p.Note("the weights are written times the model's multipliers, as mlx-lm has them: a copy for transformers computes the same, with multipliers of 1")
	}
	if _, err := config.EncodeMLX(p.Config, ""); err != nil {
		return err
	}
	if moved := slices.ContainsFunc(p.From.Tensors, func(x tensor.Tensor) bool { _, ok := t.asBlocks(p, []tensor.Tensor{x}); return ok }); moved && p.From.Matrix.Quantized() {
		p.From.Matrix = tensor.F32 // of those that are not blocks
	}
	plain := *p // as if nothing were coded here
	plain.MLX = scheme.MLX{}
	plain.From.Tensors = slices.DeleteFunc(slices.Clone(p.From.Tensors), func(x tensor.Tensor) bool {
		_, stays := t.asTheyAre(p, []tensor.Tensor{x})
		_, moves := t.asBlocks(p, []tensor.Tensor{x})
		return stays || moves
	})
	if err := t.Target.Prepare(&plain); err != nil {
		return err
	}
	if s := p.Config.Shared(); s.DType == tensor.F64.Torch() {
		s.DType = tensor.F32.Torch()
	}
	if p.MLX.Mode == "" { // the notes are about blocks that become plain
		p.Notes = plain.Notes
	}
	// Beside codes of MLX the other tensors keep their dtypes.
	p.From.Tensors = slices.DeleteFunc(slices.Clone(p.From.Tensors), func(x tensor.Tensor) bool {
		_, ours := scheme.StreamsOf(x)
		_, moves := t.asBlocks(p, []tensor.Tensor{x})
		return ours || moves
	})
	return nil
}

// Wholes implements write.Target.
func (*target) Wholes(cfg config.Config) ([]names.Whole, error) { return names.InMLX(cfg) }

// Further implements write.Target.
func (*target) Further(p *write.Plan) bool {
	p.Note("tensors " + names.MultiToken + "*, by which the model predicts further tokens, are left out: mlx-lm does not have them")
	return false
}

// Step implements write.Target.
func (t *target) Step(p *write.Plan, w names.Whole, parts []tensor.Tensor) (write.Step, write.Source, error) {
	folded := false
	for i, x := range parts {
		parts[i] = fold.Into(p.From.Config, w.Parts[i].Name, x)
		folded = folded || len(names.Factors(p.From.Config, w.Parts[i].Name)) > 0
	}
	step, source, err := t.plain(p, w, parts)
	if err != nil {
		return step, source, err
	}
	if folded {
		step.Transform = strings.TrimPrefix(step.Transform+", times multipliers", ", ")
	}
	t.sizes[step.To], _ = tensor.Count(w.Shape) // of a valid configuration
	if !names.MLXCodes(w) {
		return step, source, nil
	}
	if streams, ok := t.asTheyAre(p, parts); ok {
		return t.add(p, step, streams[0].MLX, streams[0].ScaleDType, "same codes", func(part write.MLXPart, name string) write.Source {
			return write.GroupsAsTheyAre(streams, part, name)
		})
	}
	if m, ok := t.asBlocks(p, parts); ok {
		return t.add(p, step, m, step.DType, "same codes", func(part write.MLXPart, name string) write.Source {
			return write.GroupsOfBlocks(parts, m, part, name)
		})
	}
	if p.MLX.Mode == "" {
		return step, source, nil
	}
	m := p.MLX
	cols := w.Shape[len(w.Shape)-1]
	if cols%m.Group == 0 && names.MLXRouter(w.Parts[0].Name) {
		m = routerMLX
	}
	if cols%m.Group != 0 {
		t.odd++
		return step, source, nil
	}
	if i := slices.IndexFunc(parts, func(x tensor.Tensor) bool { return x.DType.Quantized() }); i >= 0 && !p.Requantize {
		return step, source, write.Refuse(write.ErrRequantizes, badfile.UnsupportedError{File: parts[i].File, Where: badfile.Tensor(step.To),
			Detail: fmt.Sprintf("is %s, and quantizing it again, to %s, would add to what that lost: convert the original checkpoint", parts[i].Type(), m)})
	}
	of := step.DType
	return t.add(p, step, m, of, fmt.Sprintf("quantized, groups of %d", m.Group), func(part write.MLXPart, name string) write.Source {
		return write.Groups(parts, m, part, name, of)
	})
}

// routerMLX is what mlx-lm has for routers whatever the others have.
var routerMLX = scheme.MLX{Mode: "affine", Bits: 8, Group: 64}

// plain is the step of a tensor that is not coded.
func (t *target) plain(p *write.Plan, w names.Whole, parts []tensor.Tensor) (write.Step, write.Source, error) {
	step, source, err := t.Target.Step(p, w, parts)
	name := w.Parts[0].Name
	dtype := step.DType
	if names.MLXKeeps(p.Config, name) {
		dtype = write.Common(parts)
	}
	if dtype == tensor.F64 || dtype.Quantized() {
		dtype = tensor.F32
	}
	if dtype != step.DType {
		step, source = p.Plain(w, parts, w.Name, dtype)
	}
	step.To = names.ToMLX(p.Config, w.Name)
	switch {
	case names.Convolution(name):
		step.Shape, step.Transform = []int{w.Shape[0], w.Shape[2], w.Shape[1]}, "reshape" // the elements lie in the same order
	case len(parts) > 1:
		step.Transform = "stack"
	}
	source.Name, source.Shape = step.To, step.Shape
	return step, source, err
}

// asTheyAre returns the codes of a weight that MLX has coded before, if they are what is asked for.
func (t *target) asTheyAre(p *write.Plan, parts []tensor.Tensor) ([]scheme.Streams, bool) {
	all := make([]scheme.Streams, len(parts))
	for i, x := range parts {
		s, ok := scheme.StreamsOf(x)
		if !ok || i > 0 && (s.MLX != all[0].MLX || s.ScaleDType != all[0].ScaleDType) {
			return nil, false
		}
		all[i] = s
	}
	as := all[0]
	return all, (p.MLX.Mode == "" && p.Recipe.Keeps() || p.MLX == as.MLX) && (p.Recipe.Keeps() || !as.Affine() || p.Recipe.DType() == as.ScaleDType)
}

// asBlocks returns the mode whose groups the blocks of a weight from GGUF are, if no other is asked for.
func (t *target) asBlocks(p *write.Plan, parts []tensor.Tensor) (m scheme.MLX, ok bool) {
	for _, x := range parts {
		if m, ok = scheme.OfBlocks(x); !ok || x.DType != parts[0].DType {
			return m, false
		}
	}
	return m, p.MLX.Mode == "" && p.Recipe.Keeps() || p.MLX == m
}

// add plans all tensors that a weight becomes, and returns the one with the codes.
func (t *target) add(p *write.Plan, of write.Step, m scheme.MLX, dtype tensor.DType, how string, source func(part write.MLXPart, name string) write.Source) (write.Step, write.Source, error) {
	module := strings.TrimSuffix(of.To, ".weight")
	t.coded[module] = m
	parts := write.MLXParts(m, dtype, of.Shape)
	for _, part := range parts[1:] {
		step := of
		step.To, step.DType, step.Shape, step.Transform = module+"."+part.Ending, part.DType, part.Shape, part.Ending
		p.Add(step, source(part, step.To))
	}
	of.DType, of.Shape = parts[0].DType, parts[0].Shape
	of.Transform = strings.TrimPrefix(of.Transform+", "+m.String()+", "+how, ", ")
	return of, source(parts[0], of.To), nil
}

// Finish implements write.Target.
func (t *target) Finish(p *write.Plan) {
	if t.odd > 0 {
		p.Note(fmt.Sprintf("%s not quantized: row length not a multiple of %d", badfile.Count(t.odd, "matrix"), p.MLX.Group))
	}
}

// quantization is what config.json says of the codes: how most weights have them, and how the others do; empty if there are none.
func (t *target) quantization(p *write.Plan) string {
	if len(t.coded) == 0 {
		return ""
	}
	usual := p.MLX
	if usual.Mode == "" {
		count := map[scheme.MLX]int{}
		for _, m := range t.coded {
			count[m]++
		}
		for m, n := range count {
			if n > count[usual] || n == count[usual] && cmp.Or(cmp.Compare(m.Bits, usual.Bits), cmp.Compare(m.Group, usual.Group), strings.Compare(m.Mode, usual.Mode)) < 0 {
				usual = m
			}
		}
	}
	text := strings.TrimSuffix(usual.JSON(), "}")
	var others []string
	for module, m := range t.coded {
		if m != usual || names.MLXRouter(module+".weight") { // of which mlx-lm always says how
			others = append(others, fmt.Sprintf(",%q:%s", module, m.JSON()))
		}
	}
	slices.Sort(others)
	return text + strings.Join(others, "") + "}"
}
