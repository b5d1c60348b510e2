package config

// graniteGGUF is Granite 4.0 in llama.cpp (conversion/granite.py and src/models/granite-hybrid.cpp). A model without Mamba-2 is one of
// the older architectures there, and they are read as such a model.
var graniteGGUF = hybridKeys{
	archs: []string{"granitehybrid", "granite", "granitemoe"},
	arch:  func(c Config) string { return c.(*GraniteHybridConfig).ggufArch() },
	keys:  func(c Config) []GGUFKey { return c.(*GraniteHybridConfig).ggufKeys() },
	read:  readGranite,
	claims: func(f GGUFKeys) bool {
		arch, _ := f.Str(ggufArchitecture)
		return arch != "granitehybrid" || !isBamba(f)
	},
}

// graniteScales are the factors of Granite, which llama.cpp leaves out of the arithmetic where they are 0.
func (c *GraniteHybridConfig) graniteScales() []struct {
	key, gguf string
	p         *float64
} {
	return []struct {
		key, gguf string
		p         *float64
	}{
		{"attention_multiplier", ".attention.scale", &c.AttentionScale},
		{"embedding_multiplier", ".embedding_scale", &c.EmbeddingScale},
		{"residual_multiplier", ".residual_scale", &c.ResidualScale},
		{"logits_scaling", ".logit_scale", &c.LogitsScaling},
	}
}

// graniteWritable refuses what llama.cpp cannot run.
func graniteWritable(c Config) error {
	g := c.(*GraniteHybridConfig)
	mixers, attention := hasBlock(g, BlockMamba2), hasBlock(g, BlockAttention)
	switch {
	case mixers && g.Expand != 2:
		return unsupported("mamba_expand", "found %d: llama.cpp runs Granite's Mamba-2 with 2 only", g.Expand)
	case mixers && g.UseBias:
		return unsupported("mamba_proj_bias", "found true: GGUF cannot hold the biases of in_proj and out_proj")
	case mixers && g.TimeStepLimit != noLimit:
		return unsupported("time_step_limit", "found %v: GGUF cannot hold it, and without it results differ", g.TimeStepLimit)
	}
	for _, s := range g.graniteScales() {
		if float32(*s.p) == 0 {
			return unsupported(s.key, "found %s: llama.cpp takes 0 for none", formatFloat(*s.p))
		}
	}
	return checkPairs(&g.QueryHeads, attention)
}

func (c *GraniteHybridConfig) ggufArch() string {
	switch {
	case hasBlock(c, BlockMamba2):
		return "granitehybrid"
	case c.NumLocalExperts > 0:
		return "granitemoe"
	}
	return "granite"
}

func (c *GraniteHybridConfig) ggufKeys() []GGUFKey {
	l := &ggufList{arch: c.ggufArch()}
	feed, chosen := c.SharedSize, 0 // without experts llama.cpp aborts if it is to choose some
	if c.NumLocalExperts > 0 {
		feed, chosen = c.IntermediateSize, c.NumExpertsPerTok
	}
	l.add(ggufBlocks, len(c.Layers))
	l.add(".context_length", c.context())
	l.add(ggufWidth, c.HiddenSize)
	l.add(ggufFeed, feed)
	l.add(ggufHeads, c.NumAttentionHeads)
	l.add(ggufKeyHeads, perLayer(c, c.NumKeyValueHeads, BlockAttention))
	l.add(ggufTheta, c.Rope.Theta)
	l.add(ggufEpsilon, c.LayerNormEpsilon)
	l.add(ggufExperts, c.NumLocalExperts)
	l.add(ggufChosen, chosen)
	if c.HeadDim*c.NumAttentionHeads != c.HiddenSize {
		l.add(ggufKeyLength, c.HeadDim)
		l.add(ggufValueLength, c.HeadDim)
	}
	l.add(ggufVocabulary, c.VocabSize)
	l.add(ggufRotated, c.HeadDim)
	for _, s := range c.graniteScales() {
		l.add(s.gguf, *s.p)
	}
	l.add(ggufSharedFeed, c.SharedSize)
	l.mixer(&c.Common, &c.Mixer2)
	l.add(ggufPositions, c.Positions())
	return l.keys
}

// context is max_position_embeddings if positions count, and as good as no limit otherwise.
func (c *GraniteHybridConfig) context() int {
	if c.Positions() {
		return c.positive("max_position_embeddings", ggufContext)
	}
	return ggufContext
}

func readGranite(r *ggufReader, t GGUFTensors) Config {
	c := NewGraniteHybrid()
	n := r.blocks()
	c.NumHiddenLayers, c.HiddenSize, c.LayerNormEpsilon = n, r.size(ggufWidth, maxWidth), r.epsilon()
	heads, keys := r.layers(ggufKeyHeads, r.all())
	c.QueryHeads = r.heads(c.HiddenSize, keys)
	c.HeadDimStated = c.HeadDim*c.NumAttentionHeads != c.HiddenSize
	c.Layers = repeated(BlockAttention, n)
	for i := range n {
		if heads[i] == 0 {
			c.Layers[i] = BlockMamba2
		}
	}
	if r.has(ggufInner) || keys == 0 || hasBlock(c, BlockMamba2) {
		r.mixer(&c.Common, &c.Mixer2)
		c.Expand = max(1, c.DInner()/c.HiddenSize)
	} else {
		c.Expand, c.Mixer2 = 1, Mixer2{MambaNumHeads: 1, MambaHeadDim: c.HiddenSize, NGroups: 1, ChunkSize: c.ChunkSize} // there are none
	}
	_, feed := r.layers(ggufFeed, r.all())
	c.IntermediateSize, c.SharedSize = max(1, feed), max(1, feed)
	if t.Gate > 0 {
		c.SharedSize = t.Gate // llama.cpp's converter writes intermediate_size of a model without experts
	}
	if c.NumLocalExperts = r.sizeOr(ggufExperts, maxInner, 0); c.NumLocalExperts > 0 {
		c.SharedSize = r.size(ggufSharedFeed, maxWidth)
	}
	c.NumExpertsPerTok = r.sizeOr(ggufChosen, maxInner, 0)
	for _, s := range c.graniteScales() {
		*s.p = r.number(s.gguf, 1)
	}
	if !r.has(".attention.scale") {
		r.fail(unsupported(r.arch+".attention.scale", "is missing: expected the factor of attention's scores"))
	}
	c.UseConvBias, c.AttentionBias = t.ConvBias, t.AttentionBias
	c.positions(r)
	return c
}

// positions reads the rotary embedding.
func (c *GraniteHybridConfig) positions(r *ggufReader) {
	if c.PositionEmbedding = "nope"; !r.on(ggufPositions, true) {
		c.Rope.Theta = r.number(ggufTheta, defaultTheta)
		return
	}
	c.PositionEmbedding = "rope"
	r.plainRope(&c.Rope, c.HeadDim)
}
