package adapter

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// parameter reports whether target_parameters names a parameter of the model (PEFT 0.21, tuners/tuners_utils.py,
// _inject_parameters).
func (b *builder) parameter(param string) bool {
	return slices.ContainsFunc(b.s.parameters, func(name string) bool { return param == name || strings.HasSuffix(param, "."+name) })
}

// target is a parameter that is changed by itself, not through a module.
type target struct {
	param string
	whole names.Whole
}

// parametersOf lists those parameters of a module that target_parameters names, in the order of the table. PEFT wraps the first
// first, so that the last one's factors are named without base_layer.
func (b *builder) parametersOf(m *module) (list []target) {
	seen := map[string]bool{}
	for _, name := range b.s.parameters {
		param := m.name + "." + name[strings.LastIndexByte(name, '.')+1:]
		if seen[param] || !b.parameter(param) {
			continue
		}
		seen[param] = true
		if w, ok := b.find(param); ok {
			list = append(list, target{param, w})
		}
	}
	slices.SortFunc(list, func(x, y target) int {
		return cmp.Compare(b.order[x.whole.Parts[0].Name], b.order[y.whole.Parts[0].Name])
	})
	return list
}

// changeParameter adds the products of a parameter, one for each of the matrices that it holds: A is [E·r, in] and B [out, r·E], the
// expert being the slower index of the first and the faster one of the second (PEFT 0.21, tuners/lora/layer.py, ParamWrapper).
func (b *builder) changeParameter(m *module) error {
	list := b.parametersOf(m)
	if m.depth >= len(list) {
		return b.matchesNothing(m.a.Name)
	}
	if m.magnitude.Name != "" || m.bias.Name != "" || m.embedding {
		return b.bad(m.example(), "belongs to a parameter, for which PEFT has neither magnitudes nor biases")
	}
	t := list[len(list)-1-m.depth]
	shape, matrices := t.whole.Shape, 1
	if len(shape) == 3 {
		matrices, shape = shape[0], shape[1:]
	}
	if len(shape) != 2 {
		return b.matchesNothing(m.a.Name)
	}
	rank, rows, cols := b.s.rankOf(t.param), shape[0], shape[1]
	first, err := b.values(m.a, matrices*rank, cols)
	if err != nil {
		return err
	}
	second, err := b.values(m.b, rows, rank*matrices)
	if err != nil {
		return err
	}
	scale, err := b.s.scale(t.param, rank)
	if err != nil {
		return err
	}
	products := make([]delta.Product, matrices)
	for e := range products {
		left := make([]float32, 0, rows*rank)
		for i := e; i < len(second); i += matrices {
			left = append(left, second[i])
		}
		products[e] = delta.Product{Rank: rank, Left: left, Right: first[e*rank*cols:][:rank*cols], Scale: scale}
	}
	b.spread(t.whole, rows, cols, products, nil, false)
	return nil
}

// changeTokens replaces single rows (PEFT 0.21, tuners/trainable_tokens).
func (b *builder) changeTokens(m *module) error {
	w, ok := b.find(m.name + ".weight")
	if !ok || len(w.Shape) != 2 || len(w.Parts) > 1 {
		return b.matchesNothing(m.tokens.Name)
	}
	name := w.Parts[0].Name
	i := slices.IndexFunc(b.s.tokens, func(t trained) bool {
		return t.module == m.name || strings.HasSuffix(m.name, "."+t.module) || t.module == "" && name == names.Embedding
	})
	if i < 0 {
		return b.bad(m.tokens.Name, "trainable_token_indices of %s does not name this module", b.s.file)
	}
	rows, shape := b.s.tokens[i].rows, w.Shape
	values, err := b.values(m.tokens, len(rows), shape[1])
	if err != nil {
		return err
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(rows[i], rows[j]) })
	d := b.delta(name, shape[0], shape[1])
	for _, i := range order {
		n := len(d.Replaced)
		if rows[i] >= shape[0] || n > 0 && d.Replaced[n-1] == rows[i] {
			return b.s.bad("trainable_token_indices", "found the id %d, expected ids below %d, each once", rows[i], shape[0])
		}
		d.Replaced, d.Values = append(d.Replaced, rows[i]), append(d.Values, values[i*shape[1]:][:shape[1]]...)
	}
	return nil
}

// tie makes a tied head what the embedding becomes, where PEFT trains the two as one: with single tokens always, else with
// ensure_weight_tying. Otherwise each is changed by itself, and they are tied no more.
func (b *builder) tie() error {
	d, changed := b.a.Deltas[names.Embedding]
	if !b.cfg.Shared().TieWordEmbeddings || !changed && !b.s.tied {
		return nil
	}
	own := b.a.Deltas[names.Head]
	switch {
	case changed && d.Norms != nil && b.s.tied:
		return &badfile.UnsupportedError{File: b.s.file, Where: "ensure_weight_tying", Detail: "found true with use_dora, for an embedding: that is not read"}
	case changed && own == nil && (b.s.tied || len(d.Products) == 0):
		b.a.Deltas[names.Head] = d
	case changed && own != nil && b.s.tied:
		b.a.Deltas[names.Head] = d // PEFT stores the factors once more
	}
	if v, ok := b.a.Values[names.Embedding]; ok && b.s.tied {
		if _, twice := b.a.Values[names.Head]; !twice {
			b.a.Values[names.Head] = renamed(v, names.Head)
		}
	}
	return nil
}

func renamed(t tensor.Tensor, name string) tensor.Tensor {
	t.Name = name
	return t
}
