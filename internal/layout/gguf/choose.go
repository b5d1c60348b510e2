package gguf

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filetype"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/lazy"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/quantize"
	"github.com/gomamba/gomamba/tensor"
)

// choice is what the recipe and the overrides have for a tensor.
type choice struct {
	filetype.Choice
	matrices, cols int // of the tensor, for its importance
}

// choose asks the recipe and the overrides for the dtype of every tensor, by its GGUF name.
func (g *target) choose(p *write.Plan, model []gguf.KV) error {
	table, err := names.Table(p.Config)
	if err != nil {
		return err
	}
	var tensors []filetype.Tensor
	seen := map[string]bool{}
	for _, spec := range table {
		if stored, ok := names.ToGGUF(p.Config, spec.Name); ok && !spec.Optional && !seen[stored.Name] {
			seen[stored.Name] = true
			tensors = append(tensors, filetype.Tensor{Name: stored.Name, Shape: stored.Shape})
		}
	}
	for _, o := range p.Overrides {
		if !slices.ContainsFunc(tensors, func(t filetype.Tensor) bool {
			return filetype.Quantizable(t.Name, t.Shape) && o.Pattern.MatchString(t.Name)
		}) {
			return &badfile.UnsupportedError{Where: "tensor type", Detail: fmt.Sprintf("%q matches no matrix of the model: "+
				"names are those of GGUF files, such as blk.0.ssm_in.weight", o)}
		}
	}
	file, _ := filetype.Parse(p.Recipe.String()) // nil if each tensor keeps its dtype
	choices, err := file.Assign(modelOf(p, model), tensors, p.Importance != nil, p.Overrides)
	if err != nil {
		return &badfile.UnsupportedError{Detail: err.Error()}
	}
	g.choices = map[string]choice{}
	for i, c := range choices {
		t := tensors[i]
		if c.DType.Quantized() && !quantize.Supports(c.DType) {
			return &badfile.UnsupportedError{Where: badfile.Tensor(t.Name),
				Detail: fmt.Sprintf("would be %s, to which nothing can be converted here; choose another dtype", c.DType)}
		}
		if c.DType != 0 {
			cols := t.Shape[len(t.Shape)-1]
			matrices, _ := tensor.Count(t.Shape[:len(t.Shape)-2]) // of a valid configuration
			g.choices[t.Name] = choice{c, matrices, cols}
		}
	}
	if p.Importance != nil && !slices.ContainsFunc(choices, func(c filetype.Choice) bool { return c.DType.Quantized() }) {
		return &badfile.UnsupportedError{Where: "importance matrix", Detail: "is of use only if weights are quantized, which they are not"}
	}
	return nil
}

// modelOf reads what file types ask of a model from its keys.
func modelOf(p *write.Plan, keys []gguf.KV) filetype.Model {
	arch := config.Architecture(p.Config) + "."
	first := func(key string) int {
		v, ok := gguf.Find(keys, arch+key)
		if !ok {
			return 0
		}
		if n, err := v.Uint(); err == nil && n <= math.MaxInt32 {
			return int(n)
		}
		if ns, err := v.Ints(); err == nil && len(ns) > 0 {
			return int(ns[0]) // of block 0
		}
		return 0
	}
	m := filetype.Model{Blocks: first("block_count"), Experts: first("expert_count")}
	if kv := first("attention.head_count_kv"); kv > 0 {
		m.GQA = first("attention.head_count") / kv
	}
	return m
}

// source decides how a tensor gets into the file: as it is, widened or rounded, or quantized.
func (g *target) source(p *write.Plan, parts []tensor.Tensor, stored names.GGUF) (write.Source, error) {
	c, chosen := g.choices[stored.Name]
	was := write.Common(parts)
	dtype := was
	if chosen {
		dtype = c.DType
	}
	if block, ok := regroups(parts, stored); ok && (!chosen || dtype == block) {
		return write.Blocks(parts, stored.Name, stored.Shape, stored.Row), nil
	}
	if stored.F32 || dtype == tensor.F64 || dtype == tensor.Coded {
		dtype = tensor.F32
	}
	changes := slices.ContainsFunc(parts, func(t tensor.Tensor) bool { return t.Coding != nil })
	if dtype == was && !changes || !dtype.Quantized() {
		return plain(parts, dtype, stored), nil
	}
	if i := slices.IndexFunc(parts, func(t tensor.Tensor) bool { return t.DType.Quantized() }); i >= 0 && !p.Requantize {
		return write.Source{}, write.Refuse(write.ErrRequantizes, badfile.UnsupportedError{File: parts[i].File, Where: badfile.Tensor(stored.Name),
			Detail: fmt.Sprintf("is %s, and quantizing it again, to %s, would add to what that lost: convert the original checkpoint", parts[i].Type(), dtype)})
	}
	var importance []float32
	if p.Importance != nil {
		var err error
		if importance, err = p.Importance.Importance(stored.Name, c.cols, c.matrices); err != nil {
			return write.Source{}, err
		}
		if importance == nil && strings.HasPrefix(stored.Name, "blk.") { // embedding and output seldom are
			g.unmeasured++
		}
	}
	if importance == nil && c.Importance {
		return write.Source{}, g.noImportance(p, stored.Name, dtype)
	}
	if stored.Heads > 0 {
		return write.QuantizeRows(parts[0], stored.Name, dtype, stored.Shape, importance, stored.Row), nil
	}
	return write.Quantize(parts, stored.Name, dtype, stored.Shape, importance), nil
}

// plain is the source of a tensor that keeps its dtype or gets a plain one.
func plain(parts []tensor.Tensor, dtype tensor.DType, stored names.GGUF) write.Source {
	if stored.Heads > 0 {
		return write.Rows(parts[0], stored.Name, dtype, stored.Shape, stored.Row)
	}
	var change func(int, []float32) error
	if stored.NegExp {
		change = func(_ int, values []float32) error {
			kernel.NegExp(values, values)
			return nil
		}
	}
	return write.Cast(parts, stored.Name, dtype, stored.Shape, change)
}

// scaled are the weights that llama.cpp multiplies by a scale of the whole (llama-model.cpp, load_tensors): with one for another
// it does not load a file.
var scaled = lazy.Regexp(`^blk\.\d+\.(ssm_(in|out)|attn_(q|k|v|qkv|output)|ffn_(gate|up|down)(_exps|_shexp)?)\.weight$`)

// regroups reports whether the codes of a weight can be moved into blocks, and of which dtype.
func regroups(parts []tensor.Tensor, stored names.GGUF) (block tensor.DType, ok bool) {
	for _, t := range parts {
		blocks, ok := t.Coding.(tensor.Blocks)
		if !ok || stored.F32 || block != 0 && blocks.Block() != block {
			return 0, false
		}
		block = blocks.Block()
		if elems, _ := block.Block(); t.Shape[len(t.Shape)-1]%elems != 0 || blocks.Scale(0) != 1 && !scaled().MatchString(stored.Name) {
			return 0, false
		}
	}
	return block, true
}

// noImportance is the error of a dtype that is useless without.
func (g *target) noImportance(p *write.Plan, name string, dtype tensor.DType) error {
	if p.Importance != nil {
		return &badfile.UnsupportedError{File: p.Importance.Path(), Where: badfile.Tensor(name),
			Detail: fmt.Sprintf("has no importance in the file, and %s is useless without: measure this model, or choose another dtype", dtype)}
	}
	return write.Refuse(write.ErrNoImportance, badfile.UnsupportedError{File: p.From.Path, Where: badfile.Tensor(name),
		Detail: fmt.Sprintf("%s is useless without an importance matrix", dtype)})
}

// noteChoices says which matrices did not get what the recipe has for them, and why, and which were quantized and are not.
func (g *target) noteChoices(p *write.Plan) {
	type fallback struct{ from, to tensor.DType }
	counts := map[fallback]int{}
	var order []fallback
	for _, s := range p.Steps {
		if c := g.choices[s.To]; c.Fallback != 0 {
			f := fallback{c.Fallback, c.DType}
			if counts[f]++; counts[f] == 1 {
				order = append(order, f)
			}
		}
	}
	for _, f := range order {
		block, _ := f.from.Block()
		if f.to == tensor.F16 {
			block = 32 // of the smallest blocks, which would have been next
		}
		p.Note(fmt.Sprintf("%s written as %s, not %s: row length not a multiple of %d", badfile.Count(counts[f], "matrix"), f.to, f.from, block))
	}
	widened := map[tensor.DType]int{}
	for _, s := range p.Steps {
		if s.FromDType.Quantized() && !s.DType.Quantized() {
			widened[s.DType]++
		}
	}
	for _, d := range slices.Sorted(maps.Keys(widened)) {
		p.Note(fmt.Sprintf("%s written as %s from blocks: what quantizing lost does not come back", badfile.Count(widened[d], "matrix"), d))
	}
	if n := g.unmeasured; n > 0 {
		p.Note(fmt.Sprintf("%s does not have the importance of %s: all columns count the same there", p.Importance.Path(), badfile.Count(n, "matrix")))
	}
}

// noteFolded says which weights will not come back as they are, of those that multipliers went into.
func (g *target) noteFolded(p *write.Plan) {
	if len(g.changed) > 0 {
		p.Note("the multipliers go into the weights, where llama.cpp has them: on the way back some of " + badfile.QuoteList(g.changed) +
			" differ in their last bit, which does not happen to 16-bit weights in a file in f32")
	}
}

// keyImatrix begins the keys about an importance matrix.
const keyImatrix = "quantize.imatrix."

// importanceKeys say by what importance matrix the file was quantized, as llama-quantize does; a copy of blocks keeps those of its
// source. The matrix's name is without its folders, so that the same conversion gives the same bytes elsewhere.
func importanceKeys(p *write.Plan) (kvs []gguf.KV) {
	m := p.Importance
	if m == nil {
		for _, kv := range p.From.Keys {
			if p.Recipe.Keeps() && strings.HasPrefix(kv.Key, keyImatrix) {
				kvs = append(kvs, kv)
			}
		}
		return kvs
	}
	kvs = append(kvs, gguf.KV{Key: keyImatrix + "file", Value: gguf.Of(filepath.Base(m.Path()))})
	if len(m.Datasets) > 0 {
		kvs = append(kvs, gguf.KV{Key: keyImatrix + "dataset", Value: gguf.Of(m.Datasets[0])})
	}
	kvs = append(kvs, gguf.KV{Key: keyImatrix + "entries_count", Value: gguf.Of(uint32(m.Len()))})
	if m.Chunks > 0 {
		kvs = append(kvs, gguf.KV{Key: keyImatrix + "chunks_count", Value: gguf.Of(uint32(m.Chunks))})
	}
	return kvs
}
