package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/tensor"
)

// ggufTarget writes one GGUF file, with the keys, names, types and order of llama.cpp's converter
// (convert_hf_to_gguf.py and conversion/mamba.py), and one key of our own that keeps config.json whole.
type ggufTarget struct{}

// fileTypes are the values of general.file_type by the dtype of the large matrices.
var fileTypes = map[tensor.DType]uint32{tensor.F32: 0, tensor.F16: 1, tensor.BF16: 32}

// prepare refuses what the format cannot hold, and gives the convolution the bias that llama.cpp demands.
func (ggufTarget) prepare(p *Plan, dtype tensor.DType) error {
	if _, ok := fileTypes[dtype]; !ok && dtype != 0 {
		return &badfile.UnsupportedError{File: p.ck.Path(), Where: "dtype",
			Detail: fmt.Sprintf("llama.cpp has no weights of type %s; choose f32, f16 or bf16", dtype)}
	}
	cfg := p.cfg.(*config.MambaConfig)
	if _, _, err := cfg.EncodeGGUF(); err != nil {
		return err
	}
	note, err := "", error(nil)
	if p.vocabulary = sourceVocabulary(p.ck.GGUFKeys()); p.vocabulary == nil {
		p.vocabulary, note, err = ggufVocabulary(p.ck.Path(), cfg)
	}
	if note != "" {
		p.Notes = append(p.Notes, note)
	}
	return err
}

func (ggufTarget) step(_ *Plan, spec names.Spec, t tensor.Tensor, dtype tensor.DType) (Step, Source) {
	stored, _ := names.ToGGUF(spec.Name) // prepare refused the tensors without a place
	switch {
	case stored.F32 || dtype == 0 && t.DType == tensor.F64:
		dtype = tensor.F32
	case dtype == 0:
		dtype = t.DType
	}
	shape := spec.Shape
	if stored.Transform == names.Squeeze {
		shape = []int{shape[0], shape[2]}
	}
	var change func(int, []float32) error
	if stored.Transform == names.NegExp {
		change = func(_ int, values []float32) error {
			kernel.NegExp(values, values)
			return nil
		}
	}
	return Step{From: t.Name, File: t.File, FromDType: t.DType, To: stored.Name, DType: dtype, Shape: shape, Transform: stored.Transform.String()},
		cast(t, stored.Name, dtype, shape, change)
}

// finish adds what only the file as a whole can tell: zeros where llama.cpp demands a bias that the model lacks, and the
// order of llama.cpp's converter, which is that of the sorted Hugging Face names.
func (ggufTarget) finish(p *Plan) {
	cfg := p.cfg.(*config.MambaConfig)
	if !cfg.UseConvBias {
		shape := []int{cfg.DInner()}
		for l := range cfg.NumHiddenLayers {
			name := fmt.Sprintf("backbone.layers.%d.mixer.conv1d.bias", l)
			stored, _ := names.ToGGUF(name)
			p.Steps = append(p.Steps, Step{From: name, To: stored.Name, FromDType: tensor.F32, DType: tensor.F32, Shape: shape, Transform: "zeros"})
			p.sources = append(p.sources, Source{Name: stored.Name, DType: tensor.F32, Shape: shape,
				Write: func(emit func([]byte) error) error { return emit(make([]byte, 4*shape[0])) }})
		}
		p.Notes = append(p.Notes, "the convolution has no bias, llama.cpp demands one: zeros are written, which change nothing")
	}
	p.sort(func(s Step) string {
		canonical, _, _ := names.FromGGUF(s.To)
		return canonical
	}, cmp.Compare)
}

func (t ggufTarget) write(ctx context.Context, dst string, p *Plan, opts Options) (err error) {
	kvs, err := t.keys(p)
	if err != nil {
		return err
	}
	entries := make([]gguf.Entry, len(p.sources))
	for i, s := range p.sources {
		typ, _ := gguf.TypeOf(s.DType) // F32, F16 or BF16
		entries[i] = gguf.Entry{Name: s.Name, Type: typ, Shape: s.Shape}
	}
	_, _, size, err := gguf.Layout(kvs, entries)
	if err != nil {
		return err
	}
	file, err := atomicfile.CreateFile(dst, atomicfile.Options{Force: opts.Force, Need: size})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Abort())
		}
	}()
	w, err := gguf.NewWriter(file, kvs, entries)
	if err != nil {
		return err
	}
	progress := &progress{ctx: ctx, report: opts.Progress, total: p.Bytes()}
	for _, s := range p.sources {
		if err := stream(w, s, progress); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return file.Commit()
}

// keys returns all keys of the file, in the order of llama.cpp's converter.
func (ggufTarget) keys(p *Plan) ([]gguf.KV, error) {
	cfg := p.cfg.(*config.MambaConfig)
	model, own, err := cfg.EncodeGGUF()
	if err != nil {
		return nil, err
	}
	parameters, largest, matrices := 0, 0, tensor.F32
	for i, s := range p.sources {
		n, _ := tensor.Count(s.Shape) // of a valid configuration
		parameters += n
		if stored, ok := names.ToGGUF(p.Steps[i].From); (!ok || !stored.F32) && n > largest {
			largest, matrices = n, s.DType
		}
	}
	text := func(key, value string) gguf.KV { return gguf.KV{Key: key, Value: gguf.Of(value)} }
	kvs := []gguf.KV{
		text("general.architecture", "mamba"),
		text("general.type", "model"),
		text("general.name", modelName(p)),
		text("general.size_label", sizeLabel(parameters)),
	}
	kvs = append(kvs, model...)
	kvs = append(kvs,
		gguf.KV{Key: "general.file_type", Value: gguf.Of(fileTypes[matrices])},
		gguf.KV{Key: "general.quantization_version", Value: gguf.Of(uint32(2))})
	return append(append(kvs, p.vocabulary...), own...), nil
}

// modelName is the name a GGUF source states, or else that of the source's folder.
func modelName(p *Plan) string {
	for _, kv := range p.ck.GGUFKeys() {
		if name, err := kv.Value.Str(); err == nil && kv.Key == "general.name" {
			return name
		}
	}
	return strings.TrimSuffix(filepath.Base(p.ck.Path()), ".gguf")
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

func (ggufTarget) reopen(dst string) (stored, error) {
	f, err := gguf.Open(dst)
	if err != nil {
		return nil, err
	}
	return ggufStored{f}, nil
}

// ggufStored gives the plain tensors of a GGUF file.
type ggufStored struct{ *gguf.File }

func (s ggufStored) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := s.File.Tensor(name)
	if !ok {
		return tensor.Tensor{}, false
	}
	return t.Plain()
}
