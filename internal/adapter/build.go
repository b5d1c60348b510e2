package adapter

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// find returns the parameter of a name in the model that was trained: in transformers' class, in the one that is published beside
// a model, or in mamba_ssm's; with or without the class around the backbone.
func (b *builder) find(param string) (w names.Whole, ok bool) {
	for rest, more := param, true; more; _, rest, more = strings.Cut(rest, ".") {
		misnamed, _ := names.Rename(rest)
		for _, name := range []string{names.FromHF(b.cfg, rest), names.FromOriginal(rest), names.Backbone + rest, misnamed} {
			if w, ok := b.wholes[name]; ok {
				return w, true
			}
		}
	}
	return names.Whole{}, false
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
	w, ok := b.find(t.param)
	if !ok {
		return b.matchesNothing(t.Name)
	}
	if err := b.fits(t.Tensor, w); err != nil {
		return err
	}
	at := 0
	for _, spec := range w.Parts {
		n, _ := tensor.Count(spec.Shape) // of a valid configuration
		part := t.Piece(at, at+n)
		part.Shape, at = spec.Shape, at+n
		if err := b.put(spec.Name, t.Name, part); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses values of another shape than the base model's.
func (b *builder) fits(t tensor.Tensor, w names.Whole) error {
	switch name, want := w.Parts[0].Name, w.Shape; {
	case slices.Equal(t.Shape, want):
		return nil
	case (name == names.Embedding || name == names.Head) && len(t.Shape) == 2 && t.Shape[1] == want[1]:
		return b.bad(t.Name, "found %s, the base model has %s: the vocabulary was resized for the adapter; resize that of the base model first",
			badfile.Shape(t.Shape), badfile.Shape(want))
	default:
		return b.bad(t.Name, "found %s, the base model has %s", badfile.Shape(t.Shape), badfile.Shape(want))
	}
}

// put notes the values of a weight; stored is the name in the adapter.
func (b *builder) put(name, stored string, t tensor.Tensor) error {
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
	if w, ok := b.find(m.name + ".weight"); ok && !b.parameter(m.name+".weight") {
		if !b.s.targets.has(m.name) {
			return b.bad(m.a.Name, "target_modules of %s does not name its module %s, so PEFT does not load it", b.s.file, badfile.Quote(m.name))
		}
		return b.changeModule(m, w)
	}
	return b.changeParameter(m)
}

// changeModule adds the product of a linear module or of an embedding to its weight.
func (b *builder) changeModule(m *module, w names.Whole) error {
	if len(w.Shape) != 2 {
		return b.matchesNothing(m.a.Name)
	}
	rank, rows, cols := b.s.rankOf(m.name), w.Shape[0], w.Shape[1]
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
	norms, err := b.norms(m, rows, cols)
	if err != nil {
		return err
	}
	b.spread(w, rows, cols, []delta.Product{p}, norms, m.embedding)
	return b.changeBias(m, p.Scale)
}

// spread gives each part of a parameter, which lie one after the other in it, the rows of the products and norms that are its own.
func (b *builder) spread(w names.Whole, rows, cols int, products []delta.Product, norms []float32, byColumn bool) {
	if len(w.Parts) == 1 {
		d := b.delta(w.Parts[0].Name, rows, cols)
		d.Products, d.Norms, d.ByColumn = products, norms, byColumn
		return
	}
	first := 0 // row
	for _, spec := range w.Parts {
		n, _ := tensor.Count(spec.Shape) // of a valid configuration
		p, at := products[first/rows], first%rows
		n /= cols
		p.Left = p.Left[at*p.Rank:][:n*p.Rank]
		d := b.delta(spec.Name, n, cols)
		d.Products = []delta.Product{p}
		if norms != nil {
			d.Norms = norms[at:][:n]
		}
		first += n
	}
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

// norms returns the magnitudes of DoRA, nil without it: of rows, or of the columns of an embedding.
func (b *builder) norms(m *module, rows, cols int) ([]float32, error) {
	switch {
	case b.s.dora && m.magnitude.Name == "":
		return nil, b.bad(m.a.Name, "use_dora of %s is true, and lora_magnitude_vector of this module is missing", b.s.file)
	case !b.s.dora && m.magnitude.Name != "":
		return nil, b.bad(m.magnitude.Name, "use_dora of %s is false, so PEFT does not load it", b.s.file)
	case !b.s.dora:
		return nil, nil
	case m.embedding:
		return b.values(m.magnitude, cols)
	}
	return b.values(m.magnitude, rows)
}

// changeBias adds the bias of B to that of the module.
func (b *builder) changeBias(m *module, scale float32) error {
	switch w, ok := b.find(m.name + ".bias"); {
	case m.bias.Name == "" && !b.s.bias:
	case m.bias.Name == "":
		return b.bad(m.b.Name, "lora_bias of %s is true, and the bias of this module is missing", b.s.file)
	case !ok:
		return b.unsupported(m.bias.Name, "is added to a bias that the base model does not have, so PEFT cannot merge it either")
	default:
		values, err := b.values(m.bias, w.Shape...)
		if err != nil {
			return err
		}
		b.spread(w, 1, len(values), []delta.Product{{Rank: 1, Left: []float32{1}, Right: values, Scale: scale}}, nil, false)
	}
	return nil
}

// refuseShared refuses to change a weight that several layers share: PEFT trains a change for each of them, and when it merges these
// they fall on one weight.
func (b *builder) refuseShared() error {
	changed := slices.Concat(slices.Collect(maps.Keys(b.a.Deltas)), slices.Collect(maps.Keys(b.a.Values)))
	slices.Sort(changed)
	for _, name := range changed {
		if n := names.Users(b.cfg, name); n > 1 {
			return b.unsupported(names.ToHF(b.cfg, name), "is changed, and %d layers share it: PEFT has a change for each layer, which one weight cannot hold; "+
				"train other modules", n)
		}
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
