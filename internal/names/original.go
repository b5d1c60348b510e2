package names

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// ToOriginal returns the name of the original layout for a canonical name. All families share the ones that differ.
func ToOriginal(name string) string {
	if name == rowEmbedding.name {
		return rowEmbedding.original
	}
	return name
}

// FromOriginal returns the canonical name for a name of the original layout.
func FromOriginal(name string) string {
	if name == rowEmbedding.original {
		return rowEmbedding.name
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

// CompareOriginal orders canonical names of a model of cfg as the state dict of the original code does, mamba_ssm's
// MambaLMHeadModel: the embedding, the blocks, the final norm, the head.
func CompareOriginal(cfg config.Config) func(a, b string) int {
	t := tableOf(cfg.Family())
	return func(a, b string) int {
		la, ma, ra := t.original(cfg, a)
		lb, mb, rb := t.original(cfg, b)
		return cmp.Or(cmp.Compare(la, lb), cmp.Compare(ma, mb), cmp.Compare(ra, rb), cmp.Compare(a, b))
	}
}

// original returns where a name stands: layer, module and row.
func (t *table) original(cfg config.Config, name string) (layer, module, at int) {
	if layer, rest := indexed(name, blockPrefix); layer >= 0 {
		before := 0 // modules of the layer's other blocks
		for _, k := range t.of(cfg, layer) {
			if at := slices.IndexFunc(k.rows, func(r row) bool { return r.name == rest }); at >= 0 {
				return layer, before + rank(k.mambaSSM, rest), at
			}
			before += len(k.mambaSSM)
		}
		return layer, -1, -1
	}
	const end = 1 << 30
	switch name {
	case Embedding:
		return -1, 0, 0
	case Head:
		return end, 1, 0
	}
	return end, 0, slices.IndexFunc(t.after, func(r row) bool { return r.name == name })
}
