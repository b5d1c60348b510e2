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
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// target writes one GGUF file, with the keys, names, types and order of llama.cpp's converter
// (convert_hf_to_gguf.py and conversion/mamba.py), and one key of our own that keeps config.json whole.
type target struct {
	general, vocabulary, ends []gguf.KV

	choices    map[string]choice // by the tensor's name in the file; the others keep their dtypes
	unmeasured int               // matrices that an importance matrix does not have
}

func newTarget() write.Target { return &target{} }

// Prepare refuses what the format cannot hold, and gives the convolution the bias that llama.cpp demands.
func (g *target) Prepare(p *write.Plan) error {
	if _, ok := p.Recipe.FileType(); !ok && !p.Recipe.Keeps() {
		known := slices.DeleteFunc(recipe.All(), func(r recipe.Recipe) bool {
			_, ok := r.FileType()
			return !ok
		})
		return &badfile.UnsupportedError{File: p.From.Path, Where: "dtype",
			Detail: fmt.Sprintf("llama.cpp has no weights of type %s; choose %s", p.Recipe.DType(), badfile.Or(known))}
	}
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

// Step implements write.Target.
func (g *target) Step(p *write.Plan, spec names.Spec, t write.Weight) (write.Step, write.Source, error) {
	stored, _ := names.ToGGUF(p.Config, spec.Name) // Prepare refused the tensors without a place
	source, err := g.source(p, t, stored)
	return write.Step{From: t.Name, File: t.File, FromDType: t.DType, To: stored.Name, DType: source.DType, Shape: stored.Shape,
		Transform: transform(spec, stored, t)}, source, err
}

// keyFileType is the key of the file type of llama.cpp (enum llama_ftype).
const keyFileType = "general.file_type"

// transformZeros is the Transform of a tensor that the source does not have.
const transformZeros = "zeros"

// transform says what changes on the way into a GGUF file beside name and type.
func transform(spec names.Spec, stored names.GGUF, t write.Weight) string {
	var parts []string
	if change := t.Transform(); change != "" {
		parts = append(parts, change)
	}
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
	p.Sort(func(s write.Step) string { return names.CanonicalGGUF(p.Config, s.To) }, cmp.Compare)
	parameters := 0
	for _, s := range p.Steps {
		if n, _ := tensor.Count(s.Shape); s.Transform != transformZeros { // of a valid configuration
			parameters += n
		}
	}
	var note string
	if g.general, note = general(p, parameters); note != "" {
		p.Note(note)
	}
}

// fileType is the recipe's. If tensors keep their dtypes, it is what a GGUF source states, or that of the largest tensor, and
// first of quantized ones.
func fileType(p *write.Plan) uint32 {
	if n, ok := p.Recipe.FileType(); ok {
		return n
	}
	for _, kv := range p.From.Keys {
		if kv.Key != keyFileType {
			continue
		}
		if n, err := kv.Value.Uint(); err == nil && n <= math.MaxUint32 {
			return uint32(n)
		}
	}
	best, size, quantized := tensor.F32, 0, false
	for i, s := range p.Sources {
		stored, ok := names.ToGGUF(p.Config, p.Steps[i].From)
		n, _ := tensor.Count(s.Shape) // of a valid configuration
		if q := s.DType.Quantized(); (!ok || !stored.F32) && (q && !quantized || q == quantized && n > size) {
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
	kvs = append(kvs, model...)
	kvs = append(kvs,
		gguf.KV{Key: keyFileType, Value: gguf.Of(fileType(p))},
		gguf.KV{Key: "general.quantization_version", Value: gguf.Of(uint32(2))})
	return slices.Concat(kvs, g.vocabulary, own, g.ends, importanceKeys(p)), nil
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
