package config

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
)

// QueryHeads holds the sizes of attention in which several query heads share keys and values.
type QueryHeads struct {
	NumAttentionHeads int  // q
	NumKeyValueHeads  int  // kv: query head j reads key head j/(q/kv)
	HeadDim           int  // hd
	HeadDimStated     bool // in the file, of a family of which it is D/q otherwise
}

// fields are those of all families of hybrids. used says that the model has attention.
func (a *QueryHeads) fields(used bool) []field {
	return []field{
		intField("num_attention_heads", &a.NumAttentionHeads, 1, maxInner).deciding(Results).counting(used),
		nullableField(intField("num_key_value_heads", &a.NumKeyValueHeads, 1, maxInner), &a.NumKeyValueHeads, 0).deciding(Results).counting(used),
	}
}

// headDimField is the key of a family that has D/q without it.
func (a *QueryHeads) headDimField() field {
	return statedIntField("head_dim", &a.HeadDim, &a.HeadDimStated)
}

// handles are the symbols of the sizes: the channels of queries and keys, which tensors show, and their heads.
func (a *QueryHeads) handles() []handle {
	queries, keys := a.widths()
	return []handle{size("Q", &queries), size("KV", &keys), size("q", &a.NumAttentionHeads), size("kv", &a.NumKeyValueHeads)}
}

// complete fills in what a file of a model of some width has left out, num_key_value_heads as 0.
func (a *QueryHeads) complete(width int) {
	if a.NumKeyValueHeads == 0 {
		a.NumKeyValueHeads = a.NumAttentionHeads
	}
	a.divide(width)
}

// divide gives each head its share of some channels, unless the file states how many it has.
func (a *QueryHeads) divide(width int) {
	if !a.HeadDimStated && a.NumAttentionHeads > 0 {
		a.HeadDim = width / a.NumAttentionHeads
	}
}

// check reports heads that cannot share keys, or are too wide.
func (a *QueryHeads) check() error {
	switch {
	case a.NumAttentionHeads%a.NumKeyValueHeads != 0:
		return formatError("num_key_value_heads", "found %d, which does not divide num_attention_heads %d", a.NumKeyValueHeads, a.NumAttentionHeads)
	case int64(a.NumAttentionHeads)*int64(a.HeadDim) > maxWidth:
		return formatError("num_attention_heads", "found %d heads of %d channels, expected at most %d channels", a.NumAttentionHeads, a.HeadDim, maxWidth)
	}
	return nil
}

// widths returns the channels of all queries, and of all keys.
func (a *QueryHeads) widths() (queries, keys int) {
	return a.NumAttentionHeads * a.HeadDim, a.NumKeyValueHeads * a.HeadDim
}

// weights counts the weights of such a block, of width d.
func (a *QueryHeads) weights(d float64) float64 {
	queries, keys := a.widths()
	return d*2*(float64(queries)+float64(keys)+1) + float64(queries) + 2*float64(keys)
}

// words says the sizes.
func (a *QueryHeads) words() string {
	return fmt.Sprintf("attention %s of %d, %d of keys", badfile.Count(a.NumAttentionHeads, "head"), a.HeadDim, a.NumKeyValueHeads)
}
