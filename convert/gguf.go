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
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// ggufTarget writes one GGUF file, with the keys, names, types and order of llama.cpp's converter
// (convert_hf_to_gguf.py and conversion/mamba.py), and one key of our own that keeps config.json whole.
type ggufTarget struct{}

// fileTypes are the values of general.file_type by the dtype of the large matrices.
var fileTypes = map[tensor.DType]uint32{tensor.F32: 0, tensor.F16: 1, tensor.BF16: 32, tensor.Q8_0: 7}

// prepare refuses what the format cannot hold, and gives the convolution the bias that llama.cpp demands.
func (ggufTarget) prepare(p *Plan, dtype tensor.DType) error {
	if _, ok := fileTypes[dtype]; !ok && dtype != 0 {
		return &badfile.UnsupportedError{File: p.ck.Path(), Where: "dtype",
			Detail: fmt.Sprintf("llama.cpp has no weights of type %s; choose f32, f16, bf16 or q8_0", dtype)}
	}
	if _, _, err := p.cfg.EncodeGGUF(); err != nil {
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

// unblocked is the dtype of a matrix to be quantized whose rows are no whole blocks, as in llama.cpp.
const unblocked = tensor.F16

func (ggufTarget) step(p *Plan, spec names.Spec, t tensor.Tensor, dtype tensor.DType) (Step, Source) {
	stored, _ := names.ToGGUF(p.cfg, spec.Name) // prepare refused the tensors without a place
	switch {
	case stored.F32 || dtype == 0 && t.DType == tensor.F64:
		dtype = tensor.F32
	case dtype == 0:
		dtype = t.DType
	}
	if _, ok := tensor.ByteCount(dtype, stored.Shape); !ok {
		dtype = unblocked
		p.unblocked++
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
	if cfg := p.cfg.Shared(); !cfg.UseConvBias {
		for l := range cfg.NumHiddenLayers {
			name := fmt.Sprintf("%s%d.mixer.conv1d.bias", names.Blocks, l)
			stored, _ := names.ToGGUF(p.cfg, name)
			shape := stored.Shape
			p.Steps = append(p.Steps, Step{From: name, To: stored.Name, FromDType: tensor.F32, DType: tensor.F32, Shape: shape, Transform: transformZeros})
			p.sources = append(p.sources, Source{Name: stored.Name, DType: tensor.F32, Shape: shape,
				piece: func(_ *scratch, first, end int) ([]byte, error) { return make([]byte, 4*(end-first)), nil }})
		}
		p.Notes = append(p.Notes, "the convolution has no bias, llama.cpp demands one: zeros are written, which change nothing")
	}
	if p.unblocked > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s of rows that are not whole blocks of Q8_0, 32 elements, written as %s", badfile.Count(p.unblocked, "matrix"), unblocked))
	}
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

// keys returns all keys of the file, in the order of llama.cpp's converter.
func (ggufTarget) keys(p *Plan) ([]gguf.KV, error) {
	model, own, err := p.cfg.EncodeGGUF()
	if err != nil {
		return nil, err
	}
	largest, matrices, quantized := 0, tensor.F32, false
	for i, s := range p.sources {
		n, _ := tensor.Count(s.Shape) // of a valid configuration
		if stored, ok := names.ToGGUF(p.cfg, p.Steps[i].From); (!ok || !stored.F32) && n > largest {
			largest, matrices = n, s.DType
		}
		quantized = quantized || s.DType == tensor.Q8_0 || p.unblocked > 0
	}
	if quantized {
		matrices = tensor.Q8_0 // as asked for, though no rows may be whole blocks
	}
	kvs := append([]gguf.KV{{Key: "general.architecture", Value: gguf.Of(config.Architecture(p.cfg))}}, p.general...)
	kvs = append(kvs, model...)
	kvs = append(kvs,
		gguf.KV{Key: "general.file_type", Value: gguf.Of(fileTypes[matrices])},
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
