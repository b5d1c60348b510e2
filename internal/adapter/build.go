package adapter

import (
	"bytes"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// canonical returns the canonical name of a parameter of the model that was trained: of transformers' class, of the one that is
// published beside a model, or of mamba_ssm's; with or without the class around the backbone.
func (b *builder) canonical(param string) (name string, ok bool) {
	for rest, more := param, true; more; _, rest, more = strings.Cut(rest, ".") {
		misnamed, _ := names.Rename(rest)
		for _, name := range []string{names.FromHF(b.cfg, rest), names.FromOriginal(rest), names.Backbone + rest, misnamed} {
			if _, ok := b.specs[name]; ok {
				return name, true
			}
		}
	}
	return "", false
}

// stacked returns the canonical names of the tensors of n experts, of which a parameter holds all.
func (b *builder) stacked(param string, n int) []string {
	for rest, more := param, true; more; _, rest, more = strings.Cut(rest, ".") {
		if list := names.Experts(b.cfg, names.FromHF(b.cfg, rest), n); list != nil {
			return list
		}
	}
	return nil
}

// matchesNothing is the error of a name that the model does not have.
func (b *builder) matchesNothing(name string) error {
	return b.bad(name, "a %s model of this configuration has nothing of that name: the adapter is for another model", b.cfg.Family())
}

// replace takes a tensor that stands in for the base model's.
func (b *builder) replace(t plain) error {
	if !t.DType.Float() || !t.DType.Plain() {
		return b.unsupported(t.Name, "found dtype %s, expected F32, F16, BF16 or F64", t.DType)
	}
	name, ok := b.canonical(t.param)
	if !ok && len(t.Shape) == 3 {
		list := b.stacked(t.param, t.Shape[0])
		if list == nil {
			return b.matchesNothing(t.Name)
		}
		each := t.Elems() / max(len(list), 1)
		for e, name := range list {
			part := t.Piece(e*each, (e+1)*each)
			part.Shape = t.Shape[1:]
			if err := b.put(name, t.Name, part); err != nil {
				return err
			}
		}
		return nil
	}
	if !ok {
		return b.matchesNothing(t.Name)
	}
	return b.put(name, t.Name, t.Tensor)
}

// put notes the values of a weight; stored is the name in the adapter.
func (b *builder) put(name, stored string, t tensor.Tensor) error {
	want := b.specs[name].Shape
	if !slices.Equal(t.Shape, want) {
		if (name == names.Embedding || name == names.Head) && len(t.Shape) == 2 && t.Shape[1] == want[1] {
			return b.bad(stored, "found %s, the base model has %s: the vocabulary was resized for the adapter; resize that of the base model first",
				badfile.Shape(t.Shape), badfile.Shape(want))
		}
		return b.bad(stored, "found %s, the base model has %s", badfile.Shape(t.Shape), badfile.Shape(want))
	}
	if other, twice := b.a.Values[name]; twice { // bias and modules_to_save both keep it
		if other.DType != t.DType || !bytes.Equal(other.Data, t.Data) {
			return b.bad(stored, "is in the adapter twice, with other values")
		}
		return nil
	}
	if err := b.finite(t, stored); err != nil {
		return err
	}
	t.Name, t.File = name, b.path
	b.a.Values[name] = t
	return nil
}

// finite refuses values that are not numbers.
func (b *builder) finite(t tensor.Tensor, stored string) error {
	for i, v := range tensor.Float32s(t) {
		if v-v != 0 {
			return b.bad(stored, "element %d is %v: training has diverged", i, v)
		}
	}
	return nil
}

// values returns a tensor of the adapter as float32, after a check of its shape.
func (b *builder) values(t tensor.Tensor, shape ...int) ([]float32, error) {
	switch {
	case !t.DType.Float() || !t.DType.Plain():
		return nil, b.unsupported(t.Name, "found dtype %s, expected F32, F16, BF16 or F64", t.DType)
	case !slices.Equal(t.Shape, shape):
		return nil, b.bad(t.Name, "found %s, expected %s", badfile.Shape(t.Shape), badfile.Shape(shape))
	}
	return tensor.Float32s(t), b.finite(t, t.Name)
}

// change turns the tensors of a module into a delta of a weight.
func (b *builder) change(m *module) error {
	if m.tokens.Name != "" {
		return b.changeTokens(m)
	}
	switch {
	case m.a.Name == "":
		return b.bad(m.example(), "lora_A of the same module is missing")
	case m.b.Name == "":
		return b.bad(m.example(), "lora_B of the same module is missing")
	case len(m.a.Shape) == 3:
		return b.unsupported(m.a.Name, "a LoRA of a convolution whose channels are apart: A·B mixes them, no checkpoint can hold that, and PEFT does not "+
			"merge it either; train the convolution with modules_to_save or target_parameters")
	case len(m.a.Shape) != 2 || len(m.b.Shape) != 2:
		return b.bad(m.a.Name, "found %s and %s, expected two matrices", badfile.Shape(m.a.Shape), badfile.Shape(m.b.Shape))
	}
	if name, ok := b.canonical(m.name + ".weight"); ok && !b.parameter(m.name+".weight") {
		if !b.s.targets.has(m.name) {
			return b.bad(m.a.Name, "target_modules of %s does not name its module %s, so PEFT does not load it", b.s.file, badfile.Quote(m.name))
		}
		return b.changeModule(m, b.specs[name])
	}
	return b.changeParameter(m)
}

// changeModule adds the product of a linear module or of an embedding to its weight.
func (b *builder) changeModule(m *module, spec names.Spec) error {
	if len(spec.Shape) != 2 {
		return b.matchesNothing(m.a.Name)
	}
	rank, rows, cols := b.s.rankOf(m.name), spec.Shape[0], spec.Shape[1]
	if m.a.Shape[0] != rank {
		return b.bad(m.a.Name, "found %s, a rank of %d, but %s says %d", badfile.Shape(m.a.Shape), m.a.Shape[0], b.s.file, rank)
	}
	p := delta.Product{Rank: rank}
	var first, second []float32
	var err error
	if m.embedding { // W + s·(B·A)ᵀ
		first, err = b.values(m.a, rank, rows)
		if err == nil {
			second, err = b.values(m.b, cols, rank)
		}
	} else {
		first, err = b.values(m.a, rank, cols)
		if err == nil {
			second, err = b.values(m.b, rows, rank)
		}
	}
	if err != nil {
		return err
	}
	if p.Left, p.Right = second, first; m.embedding {
		p.Left, p.Right = transposed(first, rank, rows), transposed(second, cols, rank)
	}
	if p.Scale, err = b.s.scale(m.name, rank); err != nil {
		return err
	}
	d := b.delta(spec.Name, rows, cols)
	d.Products = []delta.Product{p}
	if err := b.setNorms(m, d); err != nil {
		return err
	}
	return b.changeBias(m, strings.TrimSuffix(spec.Name, "weight")+"bias", p.Scale)
}

// delta returns that of a weight, made if it is new.
func (b *builder) delta(name string, rows, cols int) *delta.Delta {
	d := b.a.Deltas[name]
	if d == nil {
		d = &delta.Delta{Rows: rows, Cols: cols}
		b.a.Deltas[name] = d
	}
	return d
}

// setNorms takes the magnitudes of DoRA.
func (b *builder) setNorms(m *module, d *delta.Delta) (err error) {
	switch {
	case b.s.dora && m.magnitude.Name == "":
		return b.bad(m.a.Name, "use_dora of %s is true, and lora_magnitude_vector of this module is missing", b.s.file)
	case !b.s.dora && m.magnitude.Name != "":
		return b.bad(m.magnitude.Name, "use_dora of %s is false, so PEFT does not load it", b.s.file)
	case !b.s.dora:
		return nil
	}
	n := d.Rows
	if d.ByColumn = m.embedding; m.embedding {
		n = d.Cols
	}
	d.Norms, err = b.values(m.magnitude, n)
	return err
}

// changeBias adds the bias of B to that of the module.
func (b *builder) changeBias(m *module, name string, scale float32) error {
	switch spec, ok := b.specs[name]; {
	case m.bias.Name == "" && !b.s.bias:
	case m.bias.Name == "":
		return b.bad(m.b.Name, "lora_bias of %s is true, and the bias of this module is missing", b.s.file)
	case !ok:
		return b.unsupported(m.bias.Name, "is added to a bias that the base model does not have, so PEFT cannot merge it either")
	default:
		values, err := b.values(m.bias, spec.Shape...)
		if err != nil {
			return err
		}
		b.delta(name, 1, len(values)).Products = []delta.Product{{Rank: 1, Left: []float32{1}, Right: values, Scale: scale}}
	}
	return nil
}

// transposed returns v [rows, cols] as [cols, rows].
func transposed(v []float32, rows, cols int) []float32 {
	t := make([]float32, len(v))
	for r := range rows {
		for c, x := range v[r*cols:][:cols] {
			t[c*rows+r] = x
		}
	}
	return t
}
