package names

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// table lists the tensors of a family.
type table struct {
	family config.Family
	before []row
	blocks []kind
	after  []row
	hybrid *hybrid // nil: a pure family
}

// kind is a kind of block that a family has, and its tensors.
type kind struct {
	config.Block
	*block
}

// tables are those of all families.
var tables = []table{
	{config.Mamba, []row{rowEmbedding}, []kind{{config.BlockMamba1, &mamba1}}, []row{rowNormF, rowHead}, nil},
	{config.FalconMamba, []row{rowEmbedding}, []kind{{config.BlockFalconMamba, &mamba1}}, []row{rowNormF, rowHead}, nil},
	{config.Mamba3, []row{rowEmbedding}, []kind{{config.BlockMamba3, &mamba3}, {config.BlockGatedMLP, &mambaSSMMLP}}, []row{rowNormF, rowHead}, nil},
	{config.Mamba2, []row{rowEmbedding}, []kind{{config.BlockMamba2, &mamba2}}, []row{rowNormF, rowHead}, nil},
	{config.NemotronH, []row{rowEmbedding}, nemotronBlocks, []row{rowNormF, rowHead}, &nemotronNames},
	{config.GraniteHybrid, []row{rowEmbedding}, graniteBlocks, []row{rowNormF, rowHead}, &graniteNames},
	{config.Jamba, []row{rowEmbedding}, jambaBlocks, []row{rowNormF, rowHead}, &jambaNames},
	{config.FalconH1, []row{rowEmbedding}, falconH1Blocks, []row{rowNormF, rowHead}, &falconH1Names},
	{config.Bamba, []row{rowEmbedding}, bambaBlocks, []row{rowNormF, rowHead}, &bambaNames},
	{config.Zamba, []row{rowEmbedding}, zambaBlocks, []row{rowNormF, rowHead}, &zambaNames},
	{config.Zamba2, []row{rowEmbedding}, zamba2Blocks, []row{rowNormF, rowHead}, &zamba2Names},
	{config.MambaSSM, []row{rowEmbedding}, mambaSSMBlocks, mambaSSMAfter, &mambaSSMNames},
}

// The tensors outside the mixers, which all families have in common.
var (
	rowEmbedding = row{name: Embedding, original: embeddingOriginal, shape: dims{"=V", "=D"}, init: normal, gguf: place{name: EmbeddingGGUF}}
	rowNorm      = row{name: "norm.weight", shape: dims{"D"}, init: ones, gguf: place{name: "attn_norm.weight", f32: true}}
	rowNormF     = row{name: FinalNorm, shape: dims{"D"}, init: ones, gguf: place{name: "output_norm.weight", f32: true}}
	// The head is optional in a tied model: safetensors files leave it out, others hold a second copy of the embedding.
	rowHead = row{name: Head, shape: dims{"=V", "D"}, init: normal, optional: "tie_word_embeddings", gguf: place{name: HeadGGUF}}
)

// block lists the tensors of a kind of block, in the order in which the model uses them.
type block struct {
	title string // of such blocks, for messages
	norm  string // the weight of the norm before it; empty: there is none, or it stands beside the block before it, after one norm
	under string // what the names of all others begin with
	rows  []row

	shared bool // several layers use one such block; see config.SharedBlocks

	// The order of the state dicts of transformers and mamba_ssm, as the modules that the tensors are of: a module's own
	// parameters come before those of the modules inside it, which stand in the order in which __init__ creates them.
	transformers, mambaSSM []string
}

// row is one tensor, or one of each expert. Names of a block's tensors follow the prefix of the block.
type row struct {
	name     string // canonical, as Hugging Face has it; {e} stands for the number of an expert, {u} for that of a use
	each     string // the symbol of the number of experts; empty: it is one tensor
	uses     bool   // it is one tensor for each use of a shared block
	file     string // what it is a part of in Hugging Face's files, of all experts together; empty: it is a tensor there
	inside   string // what it is, or is a part of, in the memory of transformers, of all experts together; empty: as in files
	mlx      string // what it is, or is a part of, in files of mlx-lm, of all experts together; empty: as it is here
	original string // as mamba_ssm has it; empty: the same
	shape    dims
	when     string // the switch with which there is this tensor, a bias; empty: always. Without it, it is as good as zero
	optional string // the switch with which it may be absent; empty: it may not
	init     initial
	alone    bool // there is no weight beside what when is about, as there is beside a bias
	vague    bool // the name says nothing about the block: others have it, too
	gguf     place
}

// place is how llama.cpp stores a tensor; without a name: it cannot.
type place struct {
	name     string
	negExp   bool   // A = -exp(A_log) is stored
	f32      bool   // always as F32
	demanded bool   // of every model, with zeros if it does not have the tensor
	heads    string // the symbol of the number of heads whose rows are interleaved; empty: rows are in order
	turned   string // that of how many rows of each; empty: all
	shape    dims   // nil: as PyTorch shapes it
}

// expertIndex stands for the number of an expert.
const expertIndex = "{e}"

// is reports whether the row's tensor, or one of them, has a name.
func (r *row) is(name string) bool {
	switch {
	case r.uses:
		_, ok := r.number(name, useIndex)
		return ok
	case r.each == "":
		return r.name == name
	}
	_, ok := r.expert(name)
	return ok
}

// expert returns the number of the expert that a name of the row has.
func (r *row) expert(name string) (n int, ok bool) { return r.number(name, expertIndex) }

// number returns what a name of the row has for an index.
func (r *row) number(name, index string) (n int, ok bool) {
	before, after, _ := strings.Cut(r.name, index)
	rest, ok := strings.CutPrefix(name, before)
	digits, ends := strings.CutSuffix(rest, after)
	n, err := strconv.Atoi(digits)
	return n, ok && ends && err == nil && n >= 0 && strconv.Itoa(n) == digits
}

// of names the tensor of an expert.
func (r *row) of(expert int) string {
	return strings.Replace(r.name, expertIndex, strconv.Itoa(expert), 1)
}

// tableOf returns the table of a family, nil if there is none.
func tableOf(f config.Family) *table {
	for i := range tables {
		if tables[i].family == f {
			return &tables[i]
		}
	}
	return nil
}

// Step returns the name of the norm before a block of a family, and what the names of the block's own tensors begin with,
// both within the layer.
func Step(f config.Family, b config.Block) (norm, under string) {
	for _, k := range tableOf(f).blocks {
		if k.Block == b {
			return k.norm, k.under
		}
	}
	return "", ""
}

// of returns the blocks that a layer of cfg is made of; of a layer that cfg does not have, all kinds of the family.
func (t *table) of(cfg config.Config, layer int) []kind {
	if len(t.blocks) == 1 {
		return t.blocks
	}
	blocks := config.BlocksOfLayer(cfg, layer)
	if blocks == nil {
		return t.blocks
	}
	var kinds []kind
	for _, b := range blocks {
		i := slices.IndexFunc(t.blocks, func(k kind) bool { return k.Block == b })
		kinds = append(kinds, t.blocks[i])
	}
	return kinds
}

// used returns the kinds of blocks that cfg has. Its sizes need not include those of others.
func (t *table) used(cfg config.Config) []kind {
	if len(t.blocks) == 1 {
		return t.blocks
	}
	has := make(map[config.Block]bool)
	for _, layer := range config.Blocks(cfg) {
		for _, b := range layer {
			has[b] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(t.blocks), func(k kind) bool { return !has[k.Block] })
}

// find returns a block's row, of those that the layer has, or a row outside of the blocks for a layer below 0.
func (t *table) find(cfg config.Config, layer int, is func(*row) bool) *row {
	lists := [][]row{t.before, t.after}
	if layer >= 0 {
		lists = nil
		for _, k := range t.of(cfg, layer) {
			lists = append(lists, k.rows)
		}
	}
	for _, rows := range lists {
		for i := range rows {
			if is(&rows[i]) {
				return &rows[i]
			}
		}
	}
	return nil
}

// has reports whether name is in the table, for some block index and some configuration.
func (t *table) has(name string) bool {
	layer, rest := indexed(name, blockPrefix)
	lists := [][]row{t.before, t.after}
	if layer >= 0 {
		lists = nil
		for _, k := range t.blocks {
			lists = append(lists, k.rows)
		}
	}
	return slices.ContainsFunc(lists, func(rows []row) bool {
		return slices.ContainsFunc(rows, func(r row) bool { return r.is(rest) || rest != "" && r.file == rest })
	})
}

// known reports whether name is in the table of any pure family.
func known(name string) bool {
	return slices.ContainsFunc(tables, func(t table) bool { return t.hybrid == nil && t.has(name) })
}
