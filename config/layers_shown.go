package config

import (
	"slices"
	"strconv"
)

// LayersShown returns the keys that say which layers of a model of a family are what, with the values that the blocks of each layer
// call for, as far as tensors show these: blocks of a kind that the family does not have in a list are left out. It is nil if the
// family's layers are all alike, or the blocks are not those of such a model.
func LayersShown(f Family, blocks [][]Block) []Extra {
	e := entryOf(f)
	if e == nil || len(blocks) == 0 || len(blocks) > maxLayers {
		return nil
	}
	c := e.fresh()
	l, ok := c.(interface{ takeLayers([][]Block) []string })
	if !ok {
		return nil
	}
	var list []Extra
	for _, key := range l.takeLayers(blocks) {
		list = append(list, Extra{key, Value(c, key)})
	}
	if key := KeyOfLayers(f); len(list) > 0 && InTransformers(f) && key != keyLayers {
		list = append(list, Extra{key, strconv.Itoa(len(blocks))})
	}
	return list
}

// LayerSpellings are the keys under which a file may list its layers.
var LayerSpellings = []string{keyLayers, keyLayerTypes, keyPattern}

// listed returns the one kind of those of a list that each layer has; nil if a layer has none or several.
func listed(blocks [][]Block, kinds ...Block) []Block {
	list := make([]Block, len(blocks))
	for i, layer := range blocks {
		for _, b := range layer {
			switch {
			case !slices.Contains(kinds, b):
			case list[i] != "":
				return nil
			default:
				list[i] = b
			}
		}
		if list[i] == "" {
			return nil
		}
	}
	return list
}

// with returns the layers that have such a block.
func with(blocks [][]Block, b Block) []int {
	var list []int
	for i, layer := range blocks {
		if slices.Contains(layer, b) {
			list = append(list, i)
		}
	}
	return list
}

func (c *NemotronHConfig) takeLayers(blocks [][]Block) []string {
	if c.Layers = listed(blocks, nemotronKinds...); c.Layers == nil {
		return nil
	}
	return []string{keyLayers}
}

func (c *GraniteHybridConfig) takeLayers(blocks [][]Block) []string {
	if c.Layers = listed(blocks, graniteKinds...); c.Layers == nil {
		return nil
	}
	return []string{keyLayerTypes}
}

func (c *BambaConfig) takeLayers(blocks [][]Block) []string {
	if listed(blocks, BlockMamba2, BlockAttention) == nil {
		return nil
	}
	c.NumHiddenLayers, c.AttentionLayers = len(blocks), with(blocks, BlockAttention)
	return []string{"attn_layer_indices"}
}

func (c *JambaConfig) takeLayers(blocks [][]Block) []string {
	if listed(blocks, BlockMamba1, BlockAttention) == nil || listed(blocks, BlockSwiGLU, BlockSwiGLUMoE) == nil {
		return nil
	}
	attention, ok := everyOf(with(blocks, BlockAttention), len(blocks), c.Attention)
	experts, also := everyOf(with(blocks, BlockSwiGLUMoE), len(blocks), c.Experts)
	if !ok || !also {
		return nil
	}
	c.Attention, c.Experts = attention, experts
	return []string{"attn_layer_period", "attn_layer_offset", "expert_layer_period", "expert_layer_offset"}
}

// everyOf finds the period and the offset of some of a number of layers: the usual ones if they do, or else the smallest that do.
func everyOf(some []int, layers int, usual Every) (Every, bool) {
	fits := func(e Every) bool {
		for layer := range layers {
			if slices.Contains(some, layer) != e.has(layer) {
				return false
			}
		}
		return true
	}
	if fits(usual) {
		return usual, true
	}
	first := layers
	if len(some) > 0 {
		first = some[0]
	}
	for period := first + 1; period <= layers+1; period++ {
		if e := (Every{period, first}); fits(e) {
			return e, true
		}
	}
	return usual, false
}

func (c *ZambaConfig) takeLayers(blocks [][]Block) []string {
	c.Layers = listedShared(blocks, BlockZamba, BlockJoinedZamba)
	return zambaLayerKeys(c.Layers)
}

func (c *Zamba2Config) takeLayers(blocks [][]Block) []string {
	c.Layers = listedShared(blocks, BlockMamba2, BlockJoinedMamba2)
	return zambaLayerKeys(c.Layers)
}

func zambaLayerKeys(layers []Block) []string {
	if layers == nil {
		return nil
	}
	return []string{keyLayers}
}

// listedShared is listed for layers that have a mixer alone, or one that reads what a shared block gives, too.
func listedShared(blocks [][]Block, mixer, joined Block) []Block {
	list := listed(blocks, mixer, joined)
	for i, b := range list {
		if b == joined {
			list[i] = BlockSharedAttention
		}
	}
	return list
}

func (c *MambaSSMConfig) takeLayers(blocks [][]Block) []string {
	if listed(blocks, BlockMamba1, BlockMamba2, BlockMHA) == nil {
		return nil
	}
	if c.AttnLayers = with(blocks, BlockMHA); c.AttnLayers == nil {
		return nil
	}
	return []string{keyAttnLayers}
}
