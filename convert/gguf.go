package convert

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/ggufconfig"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// ggufTarget writes one GGUF file, with the keys, names, types and order of llama.cpp's converter
// (convert_hf_to_gguf.py and conversion/mamba.py), and one key of our own that keeps config.json whole.
type ggufTarget struct{}

// prepare refuses what the format cannot hold, and gives the convolution the bias that llama.cpp demands.
func (ggufTarget) prepare(p *Plan) error {
	if p.recipe.fileType < 0 {
		known := slices.DeleteFunc(Recipes(), func(r Recipe) bool { return r.fileType < 0 })
		return &badfile.UnsupportedError{File: p.ck.Path(), Where: "dtype",
			Detail: fmt.Sprintf("llama.cpp has no weights of type %s; choose %s", p.recipe.DType(), badfile.Or(known))}
	}
	if _, _, err := ggufconfig.Encode(p.cfg); err != nil {
		return err
	}
	if p.vocabulary = p.texts.keys; p.vocabulary == nil {
		var notes []string
		var err error
		if p.vocabulary, notes, err = ggufVocabulary(&p.texts, p.cfg); err != nil {
			return err
		}
		p.Notes = append(p.Notes, notes...)
	}
	return p.keepEnds()
}

func (ggufTarget) step(p *Plan, spec names.Spec, t tensor.Tensor) (Step, Source) {
	stored, _ := names.ToGGUF(p.cfg, spec.Name) // prepare refused the tensors without a place
	dtype := p.recipe.choose(t.DType, stored.Shape)
	if stored.F32 || dtype == tensor.F64 {
		dtype = tensor.F32
	}
	var change func(int, []float32) error
	if stored.NegExp {
		change = func(_ int, values []float32) error {
			kernel.NegExp(values, values)
			return nil
		}
	}
	return Step{From: t.Name, File: t.File, FromDType: t.DType, To: stored.Name, DType: dtype, Shape: stored.Shape,
			Transform: transform(spec, stored)},
		cast(t, stored.Name, dtype, stored.Shape, change)
}

// keyFileType is the key of the file type of llama.cpp (enum llama_ftype).
const keyFileType = "general.file_type"

// transformZeros is the Transform of a tensor that the source does not have.
const transformZeros = "zeros"

// transform says what changes on the way into a GGUF file beside name and type.
func transform(spec names.Spec, stored names.GGUF) string {
	var parts []string
	if stored.NegExp {
		parts = append(parts, "A = -exp(A_log)")
	}
	switch {
	case slices.Equal(spec.Shape, stored.Shape):
	case len(spec.Shape) == 3:
		parts = append(parts, "squeeze")
	default:
		parts = append(parts, "reshape")
	}
	return strings.Join(parts, ", ")
}

// finish adds what only the file as a whole can tell: zeros where llama.cpp demands a bias that the model lacks, and the
// order of llama.cpp's converter, which is that of the sorted Hugging Face names.
func (ggufTarget) finish(p *Plan) {
	if zeros := names.GGUFZeros(p.cfg); len(zeros) > 0 {
		for _, name := range zeros {
			stored, _ := names.ToGGUF(p.cfg, name)
			shape := stored.Shape
			p.Steps = append(p.Steps, Step{From: name, To: stored.Name, FromDType: tensor.F32, DType: tensor.F32, Shape: shape, Transform: transformZeros})
			p.sources = append(p.sources, Source{Name: stored.Name, DType: tensor.F32, Shape: shape,
				piece: func(_ *scratch, first, end int) ([]byte, error) { return make([]byte, 4*(end-first)), nil }})
		}
		p.Notes = append(p.Notes, "the convolution has no bias, llama.cpp demands one: zeros are written, which change nothing")
	}
	p.noteFallbacks()
	p.sort(func(s Step) string {
		canonical, _, _ := names.FromGGUF(p.cfg, s.To)
		return canonical
	}, cmp.Compare)
	parameters := 0
	for _, s := range p.Steps {
		if n, _ := tensor.Count(s.Shape); s.Transform != transformZeros { // of a valid configuration
			parameters += n
		}
	}
	var note string
	if p.general, note = general(p, parameters); note != "" {
		p.Notes = append(p.Notes, note)
	}
}

// noteFallbacks says which matrices have rows that are not whole blocks of what the recipe has for them.
func (p *Plan) noteFallbacks() {
	if p.recipe.keeps() {
		return
	}
	best := p.recipe.DType()
	for _, d := range p.recipe.chain[1:] {
		n := 0
		for _, s := range p.Steps {
			if s.DType == d {
				n++
			}
		}
		if block, _ := best.Block(); n > 0 {
			p.Notes = append(p.Notes, fmt.Sprintf("%s written as %s, not %s: row length not a multiple of %d", badfile.Count(n, "matrix"), d, best, block))
		}
	}
}

// fileType is the recipe's. If tensors keep their dtypes, it is what a GGUF source states, or that of the largest tensor, and
// first of quantized ones.
func (p *Plan) fileType() uint32 {
	if !p.recipe.keeps() {
		return uint32(p.recipe.fileType)
	}
	for _, kv := range p.ck.GGUFKeys() {
		if kv.Key != keyFileType {
			continue
		}
		if n, err := kv.Value.Uint(); err == nil && n <= math.MaxUint32 {
			return uint32(n)
		}
	}
	best, size, quantized := tensor.F32, 0, false
	for i, s := range p.sources {
		stored, ok := names.ToGGUF(p.cfg, p.Steps[i].From)
		n, _ := tensor.Count(s.Shape) // of a valid configuration
		if q := s.DType.Quantized(); (!ok || !stored.F32) && (q && !quantized || q == quantized && n > size) {
			best, size, quantized = s.DType, n, q
		}
	}
	return uint32(recipeOf(best).fileType)
}

// keys returns all keys of the file, in the order of llama.cpp's converter.
func (ggufTarget) keys(p *Plan) ([]gguf.KV, error) {
	model, own, err := ggufconfig.Encode(p.cfg)
	if err != nil {
		return nil, err
	}
	kvs := append([]gguf.KV{{Key: "general.architecture", Value: gguf.Of(config.Architecture(p.cfg))}}, p.general...)
	kvs = append(kvs, model...)
	kvs = append(kvs,
		gguf.KV{Key: keyFileType, Value: gguf.Of(p.fileType())},
		gguf.KV{Key: "general.quantization_version", Value: gguf.Of(uint32(2))})
	return slices.Concat(kvs, p.vocabulary, own, p.ends), nil
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
