package config

// falconH1GGUF is Falcon-H1 in llama.cpp (conversion/falcon_h1.py and src/models/falcon-h1.cpp), which has the multipliers in the
// weights.
var falconH1GGUF = hybridKeys{
	archs: []string{"falcon-h1"},
	arch:  func(Config) string { return "falcon-h1" },
	keys:  func(c Config) []GGUFKey { return c.(*FalconH1Config).ggufKeys() },
	read:  readFalconH1,
}

// falconH1Writable refuses what llama.cpp cannot run.
func falconH1Writable(c Config) error {
	f := c.(*FalconH1Config)
	switch {
	case f.UseBias:
		return unsupported("mamba_proj_bias", "found true: GGUF cannot hold the bias of in_proj")
	case f.ProjectorsBias:
		return unsupported("projectors_bias", "found true: GGUF cannot hold the bias of out_proj")
	case f.AttentionBias:
		return unsupported("attention_bias", "found true: llama.cpp does not add the bias of o_proj")
	case f.RMSNorm && f.NormBeforeGate:
		return unsupported("mamba_norm_before_gate", "found true: llama.cpp has the norm of Mamba-2 after the gate only")
	case f.TimeStepLimit != noLimit:
		return unsupported("time_step_limit", "found %v: GGUF cannot hold it, and without it results differ", f.TimeStepLimit)
	}
	return nil
}

func (c *FalconH1Config) ggufKeys() []GGUFKey {
	l := &ggufList{arch: "falcon-h1"}
	l.add(".context_length", c.positive("max_position_embeddings", 8192))
	l.add(ggufWidth, c.HiddenSize)
	l.add(ggufFeed, c.IntermediateSize)
	l.add(ggufHeads, c.NumAttentionHeads)
	l.add(ggufBlocks, c.NumHiddenLayers)
	l.add(ggufConv, c.ConvKernel)
	l.add(ggufInner, c.DInner())
	l.add(ggufState, c.StateSize)
	l.add(ggufMixerHeads, c.MambaNumHeads)
	l.add(ggufGroups, c.NGroups)
	l.add(ggufEpsilon, c.LayerNormEpsilon)
	l.add(ggufVocabulary, c.VocabSize)
	l.add(ggufKeyHeads, c.NumKeyValueHeads)
	l.add(ggufKeyLength, c.HeadDim)
	l.add(ggufValueLength, c.HeadDim)
	l.add(ggufTheta, c.Rope.Theta)
	return l.keys
}

func readFalconH1(r *ggufReader, t GGUFTensors) Config {
	c := NewFalconH1()
	c.folded = true
	c.NumHiddenLayers, c.HiddenSize, c.LayerNormEpsilon = r.all(), r.size(ggufWidth, maxWidth), r.epsilon()
	_, keys := r.layers(ggufKeyHeads, c.NumHiddenLayers)
	c.QueryHeads = r.heads(c.HiddenSize, keys)
	c.HeadDimStated = true
	r.mixer(&c.Common, &c.Mixer2)
	c.InnerStated, c.Expand = c.DInner(), max(1, c.DInner()/c.HiddenSize)
	_, c.IntermediateSize = r.layers(ggufFeed, c.NumHiddenLayers)
	c.IntermediateSize = max(1, c.IntermediateSize)
	c.UseConvBias, c.RMSNorm, c.NormBeforeGate = t.ConvBias, t.MixerNorm, false
	c.AttentionBias, c.MLPBias = t.AttentionBias, t.MLPBias
	r.plainRope(&c.Rope, c.HeadDim)
	return c
}
