package names

import (
	"cmp"
	"slices"

	"github.com/gomamba/gomamba/config"
)

// GGUF is how a tensor is stored in a GGUF file.
type GGUF struct {
	Name   string
	Shape  []int // outermost dimension first; other than the canonical one for the convolution and for Mamba-2's vectors
	NegExp bool  // stored is A = -exp(A_log), which not every A comes back from; see LogNeg

	// F32 says that the type is F32 whatever that of the file. It holds for one-dimensional tensors, norms, the
	// convolution, and names that do not end in ".weight".
	F32 bool

	Zeros bool // llama.cpp demands the tensor of a model that does not have it: zeros then

	Heads  int // whose rows are interleaved; 0: they are in order. See Row
	Turned int // rows of each head that are, the first ones
	Part   int // which of the matrices that are stacked in it
}

// Row returns which row of a canonical tensor is row i of the stored one. Within each head, llama.cpp has the two halves of the
// rows that turn interleaved, for its rotary embedding that turns pairs of neighbours.
func (g GGUF) Row(i int) int {
	if g.Heads == 0 {
		return i
	}
	head := g.Shape[0] / g.Heads
	first, at := i-i%head, i%head
	if at >= g.Turned {
		return i
	}
	return first + at/2 + at%2*(g.Turned/2)
}

// The GGUF names that show the size of the vocabulary and whether the head is the embedding.
const (
	EmbeddingGGUF = "token_embd.weight"
	HeadGGUF      = "output.weight"
)

// ggufBlock starts the GGUF names of tensors that every block has.
const ggufBlock = "blk.{i}."

// ToGGUF returns how the tensor of a canonical name is stored in a GGUF file of cfg. ok is false for a tensor that the
// format cannot hold, such as the bias of a projection.
func ToGGUF(cfg config.Config, name string) (stored GGUF, ok bool) {
	layer, rest := indexed(name, blockPrefix)
	r := tableOf(cfg.Family()).find(cfg, layer, func(r *row) bool { return r.is(rest) && r.gguf.name != "" })
	if r == nil {
		return GGUF{}, false
	}
	part, _ := r.expert(rest)
	return r.stored(cfg, layer, part), true
}

// FromGGUF is the reverse of ToGGUF: the canonical name of a GGUF tensor, and how the format stores it. ok is false for one of
// several parts.
func FromGGUF(cfg config.Config, name string) (canonical string, stored GGUF, ok bool) {
	layer, r := fromGGUF(cfg, name)
	if r == nil || r.each != "" {
		return "", GGUF{}, false
	}
	return instance(blockPrefix, layer, r.name), r.stored(cfg, layer, 0), true
}

// GGUFInHF returns the name under which Hugging Face's files have a GGUF tensor, one with {e} for the number of an expert if they
// have those of all experts one by one; empty: there is none.
func GGUFInHF(cfg config.Config, name string) string {
	layer, r := fromGGUF(cfg, name)
	if r == nil {
		return ""
	}
	return Spelled(cfg, instance(blockPrefix, layer, cmp.Or(r.file, r.name)))
}

func fromGGUF(cfg config.Config, name string) (layer int, r *row) {
	layer, rest := indexed(name, ggufBlock)
	return layer, tableOf(cfg.Family()).find(cfg, layer, func(r *row) bool { return r.gguf.name == rest && rest != "" })
}

func (r *row) stored(cfg config.Config, layer, part int) GGUF {
	shape, sizes := r.gguf.shape, config.SizesOf(cfg)
	if shape == nil {
		shape = r.shape
	}
	g := GGUF{Name: instance(ggufBlock, layer, r.gguf.name), Shape: shape.of(sizes), NegExp: r.gguf.negExp,
		F32: r.gguf.f32, Zeros: r.gguf.demanded && !config.On(cfg, r.when), Part: part}
	if r.each != "" {
		g.Shape = slices.Insert(g.Shape, 0, sizes[r.each])
	}
	if r.gguf.heads != "" {
		g.Heads = sizes[r.gguf.heads]
		if g.Turned = g.Shape[0] / g.Heads; r.gguf.turned != "" {
			g.Turned = sizes[r.gguf.turned]
		}
	}
	return g
}

// GGUFZeros lists the tensors that llama.cpp demands and a model of cfg does not have: their canonical names.
func GGUFZeros(cfg config.Config) []string {
	var list []string
	t := tableOf(cfg.Family())
	for layer := range config.Blocks(cfg) {
		for _, k := range t.of(cfg, layer) {
			for _, r := range k.rows {
				if r.gguf.demanded && !config.On(cfg, r.when) {
					list = append(list, instance(blockPrefix, layer, r.name))
				}
			}
		}
	}
	return list
}
