package config

// jambaGGUF is Jamba in llama.cpp (conversion/jamba.py and src/models/jamba.cpp), which sees by the number of key heads which layers
// have attention, and by their routers which have experts.
var jambaGGUF = hybridKeys{
	archs: []string{"jamba"},
	arch:  func(Config) string { return "jamba" },
	keys:  func(c Config) []GGUFKey { return c.(*JambaConfig).ggufKeys() },
	read:  readJamba,
}

// jambaContext is the default of max_position_embeddings, of which nothing depends.
const jambaContext = 1 << 18

// jambaWritable refuses what llama.cpp cannot run.
func jambaWritable(c Config) error {
	j := c.(*JambaConfig)
	switch {
	case j.Expand != 2:
		return unsupported("mamba_expand", "found %d: llama.cpp runs Jamba with 2 only", j.Expand)
	case j.UseBias:
		return unsupported("mamba_proj_bias", "found true: GGUF cannot hold the biases of in_proj and out_proj")
	case j.HeadDim*j.NumAttentionHeads != j.HiddenSize:
		return unsupported("num_attention_heads", "found %d heads of %d channels: llama.cpp runs Jamba only with hidden_size %d channels in all",
			j.NumAttentionHeads, j.HeadDim, j.HiddenSize)
	}
	return nil
}

func (c *JambaConfig) ggufKeys() []GGUFKey {
	l := &ggufList{arch: "jamba"}
	experts := max(1, c.NumExperts) // llama.cpp aborts if it is to choose of none, or more than there are
	l.add(ggufBlocks, c.NumHiddenLayers)
	l.add(".context_length", c.positive("max_position_embeddings", jambaContext))
	l.add(ggufWidth, c.HiddenSize)
	l.add(ggufFeed, c.IntermediateSize)
	l.add(ggufHeads, c.NumAttentionHeads)
	l.add(ggufKeyHeads, perLayer(c, c.NumKeyValueHeads, BlockAttention))
	l.add(ggufConv, c.ConvKernel)
	l.add(ggufInner, c.DInner())
	l.add(ggufState, c.StateSize)
	l.add(ggufMixerHeads, c.TimeStepRank)
	l.add(ggufEpsilon, c.LayerNormEpsilon)
	l.add(ggufExperts, experts)
	l.add(ggufChosen, max(1, min(c.NumExpertsPerTok, experts)))
	return l.keys
}

func readJamba(r *ggufReader, t GGUFTensors) Config {
	c := NewJamba()
	n := r.all()
	c.NumHiddenLayers, c.HiddenSize, c.LayerNormEpsilon = n, r.size(ggufWidth, maxWidth), r.epsilon()
	heads, keys := r.layers(ggufKeyHeads, n)
	c.QueryHeads = r.heads(c.HiddenSize, keys)
	c.HeadDimStated = c.HeadDim != c.HiddenSize/c.NumAttentionHeads
	c.IntermediateSize = r.size(ggufFeed, maxWidth)
	c.ConvKernel, c.StateSize, c.TimeStepRank = r.size(ggufConv, maxInner), r.size(ggufState, maxInner), r.size(ggufMixerHeads, maxWidth)
	if inner := r.size(ggufInner, maxWidth); r.err == nil && inner%c.HiddenSize != 0 {
		r.fail(unsupported(r.arch+ggufInner, "found %d, expected a multiple of %s %d", inner, ggufWidth[1:], c.HiddenSize))
	} else {
		c.Expand = max(1, inner/c.HiddenSize)
	}
	c.UseConvBias = t.ConvBias
	c.NumExperts, c.NumExpertsPerTok = r.sizeOr(ggufExperts, maxInner, 1), r.sizeOr(ggufChosen, maxInner, 1)
	attention, routers := make([]bool, n), make([]bool, n)
	for i := range n {
		attention[i], routers[i] = heads[i] != 0, t.Routers[i]
	}
	c.Attention = r.every(ggufKeyHeads, attention, c.Attention)
	switch {
	case len(t.Routers) == 0:
		c.NumExperts = 1
	case c.NumExperts < 2:
		r.fail(formatError(r.arch+ggufExperts, "found %d, expected the number of experts that the routers choose from", c.NumExperts))
	default:
		c.Experts = r.every(ggufExperts, routers, c.Experts)
	}
	return c
}

// every finds the period and the offset of layers.
func (r *ggufReader) every(key string, is []bool, usual Every) Every {
	var some []int
	for layer, has := range is {
		if has {
			some = append(some, layer)
		}
	}
	e, ok := everyOf(some, len(is), usual)
	if !ok {
		r.fail(unsupported(r.arch+key, "the layers that have it are not evenly spaced, as those of Jamba are"))
	}
	return e
}
