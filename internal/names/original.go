package names

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// ToOriginal returns the name of the original layout for a canonical name. All families share the ones that differ.
func ToOriginal(name string) string {
	if name == rowEmbedding.pattern {
		return rowEmbedding.original
	}
	return name
}

// FromOriginal returns the canonical name for a name of the original layout.
func FromOriginal(name string) string {
	if name == rowEmbedding.original {
		return rowEmbedding.pattern
	}
	return name
}

// MistralPrefix stands before every original name in mistral's layout.
const MistralPrefix = "model."

// ToMistral returns the name of mistral's layout for a canonical name.
func ToMistral(name string) string { return MistralPrefix + ToOriginal(name) }

// FromMistral returns the canonical name for a name of mistral's layout; a name without its prefix is taken for an
// original one.
func FromMistral(name string) string { return FromOriginal(strings.TrimPrefix(name, MistralPrefix)) }

// stateDict is the order in which a block's tensors stand in the state dict of mamba_ssm's MambaLMHeadModel: parameters
// of the mixer itself, then its modules as they are made, then the norm.
var stateDict = []string{
	"mixer.dt_bias", "mixer.A_log", "mixer.D", "mixer.in_proj.weight", "mixer.in_proj.bias", "mixer.conv1d.weight", "mixer.conv1d.bias",
	"mixer.x_proj.weight", "mixer.dt_proj.weight", "mixer.dt_proj.bias", "mixer.norm.weight", "mixer.out_proj.weight", "mixer.out_proj.bias",
	"norm.weight",
}

// CompareOriginal orders canonical names as the state dict of the original code does.
func CompareOriginal(a, b string) int {
	la, pa := originalPlace(a)
	lb, pb := originalPlace(b)
	return cmp.Or(cmp.Compare(la, lb), cmp.Compare(pa, pb), cmp.Compare(a, b))
}

// originalPlace returns where a name stands: the embedding, the blocks, the final norm, the head.
func originalPlace(name string) (block, place int) {
	index, pattern := indexed(name, blockPrefix)
	if i, err := strconv.Atoi(index); err == nil {
		return i, slices.Index(stateDict, strings.TrimPrefix(pattern, blockPrefix))
	}
	const end = 1 << 30
	switch name {
	case Embedding:
		return -1, 0
	case Head:
		return end, 1
	}
	return end, 0
}
