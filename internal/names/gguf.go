package names

import "github.com/gomamba/gomamba/config"

// GGUF is how a tensor is stored in a GGUF file.
type GGUF struct {
	Name   string
	Shape  []int // outermost dimension first; other than the canonical one for the convolution and for Mamba-2's vectors
	NegExp bool  // stored is A = -exp(A_log), which not every A comes back from; see LogNeg

	// F32 says that the type is F32 whatever that of the file. It holds for one-dimensional tensors, norms, the
	// convolution, and names that do not end in ".weight".
	F32 bool
}

// The GGUF names that tell the size of the vocabulary and whether the head is the embedding.
const (
	EmbeddingGGUF = "token_embd.weight"
	HeadGGUF      = "output.weight"
)

// ggufBlock starts the GGUF names of tensors that every block has.
const ggufBlock = "blk.{i}."

// ToGGUF returns how the tensor of a canonical name is stored in a GGUF file of cfg. ok is false for a tensor that the
// format cannot hold, such as the bias of a projection.
func ToGGUF(cfg config.Config, name string) (stored GGUF, ok bool) {
	index, pattern := indexed(name, blockPrefix)
	for _, r := range rowsOf(cfg.Family()) {
		if r.pattern == pattern && r.gguf.name != "" {
			return r.stored(sizesOf(cfg), index), true
		}
	}
	return GGUF{}, false
}

// FromGGUF is the reverse of ToGGUF: the canonical name of a GGUF tensor, and how the format stores it.
func FromGGUF(cfg config.Config, name string) (canonical string, stored GGUF, ok bool) {
	index, pattern := indexed(name, ggufBlock)
	for _, r := range rowsOf(cfg.Family()) {
		if r.gguf.name == pattern && pattern != "" {
			return instance(r.pattern, index), r.stored(sizesOf(cfg), index), true
		}
	}
	return "", GGUF{}, false
}

func (r *row) stored(s sizes, index string) GGUF {
	shape := r.gguf.shape
	if shape == nil {
		shape = r.shape
	}
	return GGUF{Name: instance(r.gguf.name, index), Shape: shape(s), NegExp: r.gguf.negExp, F32: r.gguf.f32}
}
