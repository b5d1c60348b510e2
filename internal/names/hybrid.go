package names

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// hybrid is how Hugging Face's files name what the tables of pure families have as "backbone." and more: canonical names
// are those of pure families.
type hybrid struct {
	prefix    string   // in files
	others    []string // prefixes that are read as well
	embedding string   // after the prefix
	norm      string   // after the prefix

	// How transformers draws the bias of dt, and out_proj if not as other weights, and whether the row of pad_token_id is 0 in the
	// embedding. Without steps a new model is drawn as mamba_ssm does.
	steps, outs initial
	padded      bool

	// older returns the current name of a tensor of a layer for that of files from before transformers had the family; nil: there
	// are none.
	older func(cfg config.Config, layer int, rest string) string

	modules []string // of a layer, in the order of its state dict; nil: transformers sorts names, since it changes some
}

// Alternative returns the prefix under which a family's names are read without being taken for wrapped; empty: there is none.
func Alternative(cfg config.Config) string {
	if t := tableOf(cfg.Family()); t != nil && t.hybrid != nil && len(t.hybrid.others) > 0 {
		return t.hybrid.others[0]
	}
	return ""
}

// FromHF is the reverse of ToHF, and takes the names for which transformers has tensors in memory, too. A name that is not
// one of the family's stays as it is.
func FromHF(cfg config.Config, name string) string {
	t := tableOf(cfg.Family())
	if t == nil || t.hybrid == nil {
		return name
	}
	bare, h := name, t.hybrid
	for _, prefix := range append([]string{h.prefix}, h.others...) {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			bare = rest
			break
		}
	}
	switch {
	case bare == h.embedding:
		return Embedding
	case bare == h.norm:
		return FinalNorm
	case strings.HasPrefix(bare, "layers."):
		layer, rest := indexed(Backbone+bare, blockPrefix)
		if layer < 0 {
			return name
		}
		if h.older != nil {
			rest = h.older(cfg, layer, rest)
		}
		inMemory := func(r *row) bool { return r.inside != "" && r.inside == rest && (r.file != "" || r.each == "") }
		if r := t.find(cfg, layer, inMemory); r != nil {
			rest = cmp.Or(r.file, r.name)
		}
		return instance(blockPrefix, layer, rest)
	}
	return name
}

// Older reports whether a file has a name from before transformers had the family, under which transformers does not find the tensor.
func Older(cfg config.Config, name string) bool {
	t := tableOf(cfg.Family())
	if t == nil || t.hybrid == nil || t.hybrid.older == nil {
		return false
	}
	layer, rest := indexed(Backbone+strings.TrimPrefix(name, t.hybrid.prefix), blockPrefix)
	return layer >= 0 && t.hybrid.older(cfg, layer, rest) != rest
}

// sortInside puts tensors in the order in which transformers writes a family whose names it changes: that of its names in
// memory, part by part, numbers by their value (core_model_loading.py, revert_weight_conversion).
func (t *table) sortInside(list []Whole) {
	keys := make(map[string][]string, len(list))
	for _, w := range list {
		keys[w.Name] = strings.Split(t.inside(w.Parts[0].Name), ".")
	}
	slices.SortStableFunc(list, func(a, b Whole) int { return slices.CompareFunc(keys[a.Name], keys[b.Name], comparePart) })
}

// sortModules puts tensors in the order of the state dict, layer by layer. Tensors outside of the layers stay in place.
func (t *table) sortModules(list []Whole) {
	place := func(w Whole) int {
		_, rest := indexed(w.Name, blockPrefix)
		return rank(t.hybrid.modules, rest)
	}
	for from := 0; from < len(list); {
		end := from + 1
		for end < len(list) && list[end].Layer == list[from].Layer {
			end++
		}
		if list[from].Layer >= 0 {
			slices.SortStableFunc(list[from:end], func(a, b Whole) int { return cmp.Compare(place(a), place(b)) })
		}
		from = end
	}
}

// inside returns the name of a tensor in memory; its place in what it is a part of there follows it, and the number of an expert.
func (t *table) inside(name string) string {
	layer, rest := indexed(name, blockPrefix)
	switch {
	case name == Embedding:
		return "model." + t.hybrid.embedding
	case name == FinalNorm:
		return "model." + t.hybrid.norm
	case layer < 0:
		return name
	}
	for _, k := range t.blocks {
		for i := range k.rows {
			r := &k.rows[i]
			stored := cmp.Or(r.inside, r.file)
			if stored == "" || !r.is(rest) {
				continue
			}
			e, _ := r.expert(rest)
			rest = stored
			if r.each != "" {
				rest += "." + strconv.Itoa(i) + "." + strconv.Itoa(e)
			}
		}
	}
	return instance("model.layers.{i}.", layer, rest)
}

// Together returns a function of the names in Hugging Face's files: the same for tensors that transformers has in one piece of
// memory when it writes them, which are those of one projection of all experts of a layer; empty: it is alone there.
func Together(cfg config.Config) func(name string) string {
	t := tableOf(cfg.Family())
	return func(name string) string {
		layer, rest := indexed(FromHF(cfg, name), blockPrefix)
		if t == nil || layer < 0 {
			return ""
		}
		if r := t.find(cfg, layer, func(r *row) bool { return r.each != "" && r.is(rest) }); r != nil {
			return instance(blockPrefix, layer, r.name)
		}
		return ""
	}
}

// Buffer reports whether the tensor of a name is not a parameter to PyTorch.
func Buffer(name string) bool { return strings.HasSuffix(name, ".gate.e_score_correction_bias") }

func comparePart(a, b string) int {
	x, errA := strconv.Atoi(a)
	y, errB := strconv.Atoi(b)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// attentionUnder is attention with heads that share keys and values, after a norm and under a prefix, with the switch of
// its biases; empty: it never has any. Without a norm it stands beside the block before it.
func attentionUnder(norm, under, bias string) block {
	var rows []row
	if norm != "" {
		rows = append(rows, row{name: norm, shape: dims{"D"}, init: ones, gguf: rowNorm.gguf})
	}
	for _, p := range []struct {
		name  string
		shape dims
		gguf  place
	}{
		{"q_proj", dims{"Q", "D"}, place{name: "attn_q", heads: "q"}}, {"k_proj", dims{"KV", "D"}, place{name: "attn_k", heads: "kv"}},
		{"v_proj", dims{"KV", "D"}, place{name: "attn_v"}}, {"o_proj", dims{"D", "Q"}, place{name: "attn_output"}},
	} {
		weight := row{name: under + p.name + ".weight", shape: p.shape, gguf: p.gguf}
		weight.gguf.name += ".weight"
		rows = append(rows, weight)
		if bias != "" {
			r := row{name: under + p.name + ".bias", shape: p.shape[:1], init: zeros, when: bias, gguf: p.gguf}
			r.gguf.name, r.gguf.f32, r.gguf.heads = r.gguf.name+".bias", true, weight.gguf.heads
			rows = append(rows, r)
		}
	}
	return block{title: "attention blocks", norm: norm, under: under, rows: rows}
}

// inOrder is the block with all rows in order in GGUF.
func (b block) inOrder() block {
	b.rows = slices.Clone(b.rows)
	for i := range b.rows {
		b.rows[i].gguf.heads = ""
	}
	return b
}

// turning is the block with only so many rows of each head interleaved in GGUF as a symbol says.
func (b block) turning(symbol string) block {
	b.rows = slices.Clone(b.rows)
	for i := range b.rows {
		if b.rows[i].gguf.heads != "" {
			b.rows[i].gguf.turned = symbol
		}
	}
	return b
}
