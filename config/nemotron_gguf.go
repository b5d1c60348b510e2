package config

// nemotronGGUF is Nemotron-H in llama.cpp (conversion/nemotron.py and src/models/nemotron-h.cpp), which sees by the number of key
// heads and the width of the feed-forward block what a layer is. With experts, every feed-forward block has them.
var nemotronGGUF = hybridKeys{
	archs: []string{"nemotron_h", "nemotron_h_moe"},
	arch:  func(c Config) string { return c.(*NemotronHConfig).ggufArch() },
	keys:  func(c Config) []GGUFKey { return c.(*NemotronHConfig).ggufKeys() },
	read:  readNemotron,
}

// nemotronWritable refuses what llama.cpp cannot run.
func nemotronWritable(c Config) error {
	n := c.(*NemotronHConfig)
	switch {
	case n.has(BlockMLP) && n.has(BlockMoE):
		return unsupported(keyLayers, "found both mlp and moe: in GGUF either all feed-forward blocks have experts or none has")
	case n.has(BlockMLP) && n.MLPHiddenAct != "relu2":
		return unsupported("mlp_hidden_act", `found "%s": llama.cpp computes every such model with relu2`, n.MLPHiddenAct)
	case n.has(BlockMoE) && n.MLPBias:
		return unsupported("mlp_bias", "found true: GGUF cannot hold the biases of shared experts")
	}
	return checkPairs(&n.QueryHeads, n.has(BlockAttention))
}

func (c *NemotronHConfig) ggufArch() string {
	if c.has(BlockMoE) {
		return "nemotron_h_moe"
	}
	return "nemotron_h"
}

func (c *NemotronHConfig) ggufKeys() []GGUFKey {
	l := &ggufList{arch: c.ggufArch()}
	l.add(ggufBlocks, len(c.Layers))
	l.add(".context_length", ggufContext)
	l.add(ggufWidth, c.HiddenSize)
	feed := c.IntermediateSize
	if c.has(BlockMoE) {
		feed = c.MoEIntermediateSize
	}
	l.add(ggufFeed, perLayer(c, feed, BlockMLP, BlockMoE))
	l.add(ggufHeads, c.NumAttentionHeads)
	l.add(ggufKeyHeads, perLayer(c, c.NumKeyValueHeads, BlockAttention))
	if theta := c.theta(); theta > 0 {
		l.add(ggufTheta, theta) // by which nothing is turned
	}
	l.add(ggufEpsilon, c.LayerNormEpsilon)
	l.add(ggufLayerNorm, c.LayerNormEpsilon)
	if c.has(BlockMoE) {
		l.add(ggufExperts, c.NRoutedExperts)
		l.add(ggufChosen, c.NumExpertsPerTok)
		l.add(".expert_group_count", c.NGroup)
		l.add(".expert_group_used_count", c.TopKGroup)
	}
	l.add(ggufVocabulary, c.VocabSize)
	l.add(ggufRotated, c.HiddenSize/c.NumAttentionHeads) // likewise
	l.mixer(&c.Common, &c.Mixer2)
	l.add(ggufPositions, false)
	l.add(ggufKeyLength, c.HeadDim)
	l.add(ggufValueLength, c.HeadDim)
	if c.has(BlockMoE) {
		l.add(".expert_feed_forward_length", c.MoEIntermediateSize)
		l.add(ggufSharedFeed, c.MoESharedExpertIntermediateSize)
		l.add(".expert_shared_count", c.positive("n_shared_experts", 1))
		l.add(".expert_weights_norm", c.NormTopKProb)
		l.add(".expert_weights_scale", c.RoutedScalingFactor)
		if c.MoELatentSize > 0 {
			l.add(".moe_latent_size", c.MoELatentSize)
		}
	}
	return l.keys
}

func readNemotron(r *ggufReader, t GGUFTensors) Config {
	c := NewNemotronH()
	n := r.blocks()
	feeds, feed := r.layers(ggufFeed, r.all())
	heads, keys := r.layers(ggufKeyHeads, r.all())
	c.NumHiddenLayers, c.HiddenSize, c.LayerNormEpsilon = n, r.size(ggufWidth, maxWidth), r.epsilon()
	c.QueryHeads = r.heads(c.HiddenSize, keys)
	r.mixer(&c.Common, &c.Mixer2)
	experts := r.sizeOr(ggufExperts, maxInner, 0)
	c.Layers = nil
	for i := range n {
		switch {
		case r.err != nil:
			return c
		case heads[i] == 0 && feeds[i] == 0:
			c.Layers = append(c.Layers, BlockMamba2)
		case feeds[i] == 0:
			c.Layers = append(c.Layers, BlockAttention)
		case heads[i] != 0:
			r.fail(unsupported(r.arch+ggufFeed, "found %d for layer %d, which is of attention: a layer is one of the two", feeds[i], i))
		case experts > 0:
			c.Layers = append(c.Layers, BlockMoE)
		default:
			c.Layers = append(c.Layers, BlockMLP)
		}
	}
	c.UseConvBias, c.MLPBias = t.ConvBias, t.MLPBias
	if experts == 0 {
		if feed > 0 {
			c.IntermediateSize = feed
		}
		return c
	}
	c.NRoutedExperts, c.NumExpertsPerTok, c.MoEIntermediateSize = experts, r.size(ggufChosen, maxInner), max(1, feed)
	c.MoESharedExpertIntermediateSize = r.size(ggufSharedFeed, maxWidth)
	c.NGroup, c.TopKGroup = r.sizeOr(".expert_group_count", maxInner, 1), r.sizeOr(".expert_group_used_count", maxInner, 1)
	c.NormTopKProb, c.RoutedScalingFactor = r.on(".expert_weights_norm", false), r.number(".expert_weights_scale", 1)
	c.MoELatentSize = r.sizeOr(".moe_latent_size", maxWidth, 0)
	return c
}
