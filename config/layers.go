package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Blocks returns what every layer of a model is made of; see Config.Layer.
func Blocks(c Config) [][]Block {
	list := make([][]Block, max(0, min(c.Shared().NumHiddenLayers, maxLayers)))
	for i := range list {
		list[i] = c.Layer(i)
	}
	return list
}

// BlocksOfLayer returns the blocks of one layer, counted from 0; nil if c does not have that layer.
func BlocksOfLayer(c Config, layer int) []Block {
	if layer < 0 || layer >= c.Shared().NumHiddenLayers {
		return nil
	}
	return c.Layer(layer)
}

// layersWith lists the layers that have such a block.
func layersWith(c Config, b Block) (list []int) {
	for i, blocks := range Blocks(c) {
		if slices.Contains(blocks, b) {
			list = append(list, i)
		}
	}
	return list
}

func hasBlock(c Config, b Block) bool { return len(layersWith(c, b)) > 0 }

// blockOf returns the block that a list has for a layer, and others after it; nil if the list is shorter.
func blockOf(layers []Block, i int, others ...Block) []Block {
	if i >= len(layers) {
		return nil
	}
	return append(layers[i:i+1:i+1], others...)
}

func repeated(b Block, n int) []Block {
	list := make([]Block, n)
	for i := range list {
		list[i] = b
	}
	return list
}

// word is a kind of layer as lists of transformers spell it, the current one first.
type word struct {
	kind     Block
	spelling []string
}

// layerWords are those of all families.
var layerWords = []word{
	{BlockMamba2, []string{"linear_attention", "mamba"}},
	{BlockAttention, []string{"full_attention", "attention"}},
	{BlockMLP, []string{"mlp"}},
	{BlockMoE, []string{"moe"}},
	{BlockSharedAttention, []string{"hybrid"}},
	{BlockZamba, []string{"linear_attention", "mamba"}},
}

// layersField lists the kinds of the layers: words of a family's choice.
func layersField(key string, p *[]Block, kinds ...Block) field {
	var known []string
	of := make(map[string]Block)
	current := make(map[Block]string)
	for _, w := range layerWords {
		if slices.Contains(kinds, w.kind) {
			known = append(known, quote(w.spelling[0]))
			current[w.kind] = w.spelling[0]
			for _, s := range w.spelling {
				of[s] = w.kind
			}
		}
	}
	text := func() string {
		list := make([]string, len(*p))
		for i, b := range *p {
			list[i] = quote(current[b])
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			*p = nil
			elems, ok := v.Elems(maxLayers)
			for _, e := range elems {
				s, _ := e.Text()
				kind, known := of[s]
				if !known {
					return false
				}
				*p = append(*p, kind)
			}
			return ok || v.Kind() == jsonobj.Null
		},
		check: func() bool {
			return len(*p) > 0 && !slices.ContainsFunc(*p, func(b Block) bool { return current[b] == "" })
		},
		found: func() string { return badfile.Count(len(*p), "layer") },
		want:  fmt.Sprintf("a list of 1 to %d of %s", maxLayers, and(known)),
		text:  text,
		same:  text,
	}
}

// indicesField lists layers by their numbers; null is none.
func indicesField(key string, p *[]int) field {
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			*p = nil
			elems, ok := v.Elems(maxLayers)
			for _, e := range elems {
				n, isInt := e.Int()
				if !isInt {
					return false
				}
				*p = append(*p, n)
			}
			return ok || v.Kind() == jsonobj.Null
		},
		check: func() bool { return len(*p) <= maxLayers },
		found: func() string { return indexList(*p) },
		want:  fmt.Sprintf("a list of at most %d layers, or null", maxLayers),
		text:  func() string { return indexList(*p) },
		same:  func() string { return indexList(slices.Compact(slices.Sorted(slices.Values(*p)))) },
	}
}

// indexList renders numbers as a JSON list.
func indexList(list []int) string { return strings.ReplaceAll(fmt.Sprint(list), " ", ",") }

// oddLayer says which element of a list is not one of the known words; empty: none.
func oddLayer(keys jsonobj.Members, key string, kinds ...Block) string {
	v, _ := keys.Get(key)
	elems, _ := v.Elems(maxLayers)
	for i, e := range elems {
		s, _ := e.Text()
		if !slices.ContainsFunc(layerWords, func(w word) bool { return slices.Contains(kinds, w.kind) && slices.Contains(w.spelling, s) }) {
			return fmt.Sprintf("found %s for layer %d", e, i)
		}
	}
	return ""
}

// checkDefaultLayers reports a number of layers that is not that of transformers' list, which a file without a list gets.
func (c *Common) checkDefaultLayers(layers []Block) error {
	if len(layers) != c.NumHiddenLayers {
		return formatError("num_hidden_layers", "found %d without a list %s, for which transformers has one of %s; add the list",
			c.NumHiddenLayers, keyLayers, badfile.Count(len(layers), "layer"))
	}
	return nil
}

// checkLayers reports a list of layers, under its key, that is not as long as there are layers.
func (c *Common) checkLayers(key string, layers []Block) error {
	if len(layers) != c.NumHiddenLayers {
		return formatError(key, "found %s, expected num_hidden_layers %d", badfile.Count(len(layers), "layer"), c.NumHiddenLayers)
	}
	return nil
}
