// Package gguf is the layout of llama.cpp: one file, or the parts of a split one, with keys and tensors in it.
package gguf

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/convert/recipe"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filetype"
	"github.com/gomamba/gomamba/internal/fold"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// target writes one GGUF file, with the keys, names, types and order of llama.cpp's converter
// (convert_hf_to_gguf.py and conversion/mamba.py), and one key of our own that keeps config.json whole.
type target struct {
	general, vocabulary, ends []gguf.KV

	choices    map[string]choice // by the tensor's name in the file; the others keep their dtypes
	unmeasured int               // matrices that an importance matrix does not have
	f32        map[string]bool   // tensors that are F32 whatever the file type, by name in the file
	changed    []string          // weights that multipliers change for good, by their names in a folder
	wide       []string          // those of them that a folder with narrower matrices has in F32, by their names there
}

func newTarget() write.Target { return &target{f32: map[string]bool{}} }

// Prepare refuses what the format cannot hold, and gives the convolution the bias that llama.cpp demands.
func (g *target) Prepare(p *write.Plan) error {
	if p.MLX.Mode != "" {
		return write.OnlyMLX()
	}
	if _, ok := p.Recipe.FileType(); !ok && !p.Recipe.Keeps() {
		known := slices.DeleteFunc(recipe.All(), func(r recipe.Recipe) bool {
			_, ok := r.FileType()
			return !ok
		})
		return &badfile.UnsupportedError{File: p.From.Path, Where: "dtype",
			Detail: fmt.Sprintf("llama.cpp has no weights of type %s; choose %s", p.Recipe.DType(), badfile.Or(known))}
	}
	p.Config = config.InGGUF(p.Config)
	model, _, err := encodeConfig(p.Config)
	if err != nil {
		return err
	}
	if err := g.choose(p, model); err != nil {
		return err
	}
	if g.vocabulary = p.Texts.Keys; g.vocabulary == nil {
		var notes []string
		if g.vocabulary, notes, err = vocabularyOf(&p.Texts, p.Config); err != nil {
			return err
		}
		p.Notes = append(p.Notes, notes...)
	}
	return g.keepEnds(p)
}

// Wholes implements write.Target.
func (*target) Wholes(cfg config.Config) ([]names.Whole, error) { return names.InGGUF(cfg) }

// Further implements write.Target.
func (*target) Further(p *write.Plan) bool {
	p.Note("tensors " + names.MultiToken + "*, by which the model predicts further tokens, are left out: they change no result")
	return false
}

// Step implements write.Target.
func (g *target) Step(p *write.Plan, w names.Whole, parts []tensor.Tensor) (write.Step, write.Source, error) {
	stored, _ := names.ToGGUF(p.Config, w.Parts[0].Name) // Prepare refused the tensors without a place
	folded := false
	given := slices.Clone(parts)
	for i, t := range parts {
		parts[i] = fold.Into(p.From.Config, w.Parts[i].Name, t)
		folded = folded || len(names.Factors(p.From.Config, w.Parts[i].Name)) > 0
	}
	if g.f32[stored.Name] = stored.F32; stored.F32 && p.From.Keys == nil && p.From.Matrix != tensor.F32 && write.Common(parts) == tensor.F32 {
		g.wide = append(g.wide, names.ToHF(p.Config, w.Parts[0].Name))
	}
	source, err := g.source(p, parts, stored)
	step := p.StepOf(w, parts, write.Step{To: stored.Name, DType: source.DType, Shape: stored.Shape, Transform: transform(w, stored)})
	if folded {
		step.Transform = strings.TrimSuffix("times multipliers, "+step.Transform, ", ")
		if err == nil {
			err = g.noteChanged(p, w, given, source.DType)
		}
	}
	if block, ok := regroups(parts, stored); err == nil && ok && source.DType == block {
		step.Transform = strings.TrimPrefix(step.Transform+", regroup", ", ")
		err = g.addScale(p, step, parts)
	}
	return step, source, err
}

// noteChanged notes a weight that multipliers went into if it will not come back as it is. Blocks lose more than that.
func (g *target) noteChanged(p *write.Plan, w names.Whole, given []tensor.Tensor, stored tensor.DType) error {
	return mmap.Guard(func() error {
		for i, t := range given {
			if !stored.Quantized() && !t.DType.Quantized() && !fold.Returns(p.From.Config, w.Parts[i].Name, t, stored) {
				g.changed = append(g.changed, names.ToHF(p.From.Config, w.Name))
				return nil
			}
		}
		return nil
	})
}

// addScale adds the tensor by which llama.cpp multiplies what a weight of blocks gives, a number for each of its parts; none if
// all are 1.
func (g *target) addScale(p *write.Plan, of write.Step, parts []tensor.Tensor) error {
	scales, plain := make([]float32, len(parts)), true
	for i, t := range parts {
		scales[i] = t.Coding.(tensor.Blocks).Scale(0)
		if !(math.Abs(float64(scales[i])) <= math.MaxFloat32) {
			return &badfile.FormatError{File: t.File, Where: badfile.Tensor(t.Name), Detail: fmt.Sprintf("its scale is %v, expected a finite number", scales[i])}
		}
		plain = plain && scales[i] == 1
	}
	if plain {
		return nil
	}
	t := tensor.Of(strings.TrimSuffix(of.To, weightEnding)+scaleEnding, scales, len(scales))
	p.Add(write.Step{From: of.From, File: of.File, FromDType: tensor.F32, To: t.Name, DType: tensor.F32, Shape: t.Shape, Transform: transformScale},
		write.Cast([]tensor.Tensor{t}, t.Name, tensor.F32, t.Shape, nil))
	return nil
}

// How the names of a weight and of a number that it is multiplied by end, and of one for its input.
const (
	weightEnding     = ".weight"
	scaleEnding      = ".scale"
	inputScaleEnding = ".input_scale"
)

// keyFileType is the key of the file type of llama.cpp (enum llama_ftype).
const keyFileType = "general.file_type"

// transformZeros is the Transform of a tensor that the source does not have.
const transformZeros = "zeros"

// transformScale is that of a scale of a whole weight, which the source keeps in a tensor of its own too.
const transformScale = "scale"

// transform says what changes on the way into a GGUF file beside name and type.
func transform(w names.Whole, stored names.GGUF) string {
	var parts []string
	if stored.NegExp {
		parts = append(parts, "A = -exp(A_log)")
	}
	if stored.Heads > 0 {
		parts = append(parts, "interleave")
	}
	switch {
	case len(w.Parts) > 1:
		parts = append(parts, "stack")
	case slices.Equal(w.Shape, stored.Shape):
	case len(w.Shape) == 3:
		parts = append(parts, "squeeze")
	default:
		parts = append(parts, "reshape")
	}
	return strings.Join(parts, ", ")
}

// Finish adds what depends on the file as a whole: zeros where llama.cpp demands a bias that the model lacks, and the
// order of llama.cpp's converter, which is that of the sorted Hugging Face names.
func (g *target) Finish(p *write.Plan) {
	if zeros := names.GGUFZeros(p.Config); len(zeros) > 0 {
		for _, name := range zeros {
			stored, _ := names.ToGGUF(p.Config, name)
			shape := stored.Shape
			p.Add(write.Step{From: name, To: stored.Name, FromDType: tensor.F32, DType: tensor.F32, Shape: shape, Transform: transformZeros},
				write.Source{Name: stored.Name, DType: tensor.F32, Shape: shape,
					Piece: func(_ *write.Scratch, first, end int) ([]byte, error) { return make([]byte, 4*(end-first)), nil }})
		}
		p.Note("the convolution has no bias, llama.cpp demands one: zeros are written, which change nothing")
	}
	g.noteChoices(p)
	g.noteFolded(p)
	p.Sort(func(s write.Step) string {
		if base, scale := strings.CutSuffix(s.To, scaleEnding); scale {
			return names.GGUFInHF(p.Config, base+weightEnding) + scaleEnding
		}
		return names.GGUFInHF(p.Config, s.To)
	}, cmp.Compare)
	var note string
	if g.general, note = general(p, count(p)); note != "" {
		p.Note(note)
	}
}

// fileType is the recipe's. If tensors keep their dtypes, it is what a GGUF source states, or that of the largest tensor, and
// first of quantized ones.
func (g *target) fileType(p *write.Plan) uint32 {
	if n, ok := p.Recipe.FileType(); ok {
		return n
	}
	if n, ok := fileTypeNumber(p.From.Keys); ok {
		return n
	}
	best, size, quantized := tensor.F32, 0, false
	for _, s := range p.Sources {
		n, _ := tensor.Count(s.Shape) // of a valid configuration
		if q := s.DType.Quantized(); !g.f32[s.Name] && (q && !quantized || q == quantized && n > size) {
			best, size, quantized = s.DType, n, q
		}
	}
	if f := filetype.Of(best); f != nil {
		return f.Number
	}
	return 0
}

// keys returns all keys of the file, in the order of llama.cpp's converter.
func (g *target) keys(p *write.Plan) ([]gguf.KV, error) {
	model, own, err := encodeConfig(p.Config)
	if err != nil {
		return nil, err
	}
	kvs := append([]gguf.KV{{Key: "general.architecture", Value: gguf.Of(config.Architecture(p.Config))}}, g.general...)
	kind := gguf.KV{Key: keyFileType, Value: gguf.Of(g.fileType(p))}
	vocabulary := g.vocabulary
	// Hybrids have the size of their vocabulary among their own keys, and the file type before it.
	at := slices.IndexFunc(model, func(kv gguf.KV) bool { return strings.HasSuffix(kv.Key, gguf.KeyVocabSize) })
	if at < 0 {
		at = len(model)
	} else {
		vocabulary = slices.DeleteFunc(slices.Clone(vocabulary), func(kv gguf.KV) bool { return strings.HasSuffix(kv.Key, gguf.KeyVocabSize) })
	}
	kvs = append(kvs, slices.Insert(model, at, kind)...)
	kvs = append(kvs, gguf.KV{Key: "general.quantization_version", Value: gguf.Of(uint32(2))})
	return slices.Concat(kvs, vocabulary, own, g.wideKeys(p), g.ends, importanceKeys(p)), nil
}

// parameters counts the weights of a model.
type parameters struct {
	all       int
	perExpert int // of an expert, of all layers
	experts   int // of a layer
}

func count(p *write.Plan) (n parameters) {
	for _, s := range p.Steps {
		size, _ := tensor.Count(s.Shape) // of a valid configuration
		copied := s.To == names.HeadGGUF && config.OutOfGGUF(p.Config).Shared().TieWordEmbeddings
		if s.Transform == transformZeros || s.Transform == transformScale || copied {
			continue
		}
		n.all += size
		if len(s.Shape) > 2 && strings.Contains(s.To, "_exps.") {
			n.experts = s.Shape[0]
			n.perExpert += size / s.Shape[0]
		}
	}
	return n
}

// label is the size of a model as llama.cpp writes it, such as 2.8B, and with experts such as 64x1.2B, the size of the model with
// one of them (gguf-py/gguf/utility.py, size_label).
func (n parameters) label() string {
	if n.experts == 0 {
		return sizeLabel(n.all)
	}
	return fmt.Sprintf("%dx%s", n.experts, sizeLabel(n.all-(n.experts-1)*n.perExpert))
}

// wideKeys say which tensors of the folder are F32; a copy keeps what its source says.
func (g *target) wideKeys(p *write.Plan) (kvs []gguf.KV) {
	for _, kv := range p.From.Keys {
		if kv.Key == gguf.KeyFloat32 {
			kvs = append(kvs, kv)
		}
	}
	if len(g.wide) > 0 {
		kvs = append(kvs, gguf.KV{Key: gguf.KeyFloat32, Value: gguf.ArrayOf(g.wide)})
	}
	return kvs
}

// sizeLabel writes a number of parameters as llama.cpp does: two significant digits at least, such as 129M or 2.8B
// (gguf-py/gguf/utility.py, model_weight_count_rounded_notation).
func sizeLabel(n int) string {
	scaled, suffix := float64(n)/1e3, "K"
	for _, unit := range []struct {
		size   float64
		suffix string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}} {
		if float64(n) > unit.size {
			scaled, suffix = float64(n)/unit.size, unit.suffix
			break
		}
	}
	digits := len(strings.TrimLeft(fmt.Sprintf("%.0f", math.RoundToEven(scaled)), "0"))
	return fmt.Sprintf("%.*f%s", max(2-digits, 0), scaled, suffix)
}

// alwaysF32 reports whether the tensor of a canonical name is stored as F32 whatever the dtype of the matrices.
func alwaysF32(cfg config.Config, name string) bool {
	stored, ok := names.ToGGUF(cfg, name)
	return ok && stored.F32
}

// storedName returns the name that the tensor of a canonical name has in the file.
func storedName(cfg config.Config, name string) string {
	if stored, ok := names.ToGGUF(cfg, name); ok {
		return stored.Name
	}
	return name
}
