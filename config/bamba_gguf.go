package config

import "github.com/gomamba/gomamba/internal/jsonobj"

// bambaGGUF is Bamba in llama.cpp, to which it is a Granite 4.0 with other settings (conversion/granite.py and
// src/models/granite-hybrid.cpp). The converter there interleaves the rows of whole heads of queries and keys, of which only the
// first half turns, so that llama.cpp computes other results. Files that are written here have only what turns interleaved.
var bambaGGUF = hybridKeys{
	archs:  []string{"granitehybrid"},
	arch:   func(Config) string { return "granitehybrid" },
	keys:   func(c Config) []GGUFKey { return c.(*BambaConfig).ggufKeys() },
	read:   readBamba,
	claims: isBamba,
}

// isBamba distinguishes files of Bamba from those of Granite, which has factors.
func isBamba(f GGUFKeys) bool {
	if f.Has(ggufOwn) {
		text, _ := f.Str(ggufOwn)
		keys, _, err := readKeys([]byte(text))
		return err == nil && modelType(keys) == string(Bamba)
	}
	return !f.Has("granitehybrid.embedding_scale") && !f.Has("granitehybrid.attention.scale") && !f.Has("granitehybrid.residual_scale")
}

func modelType(keys jsonobj.Members) string {
	v, _ := keys.Get(keyModelType)
	text, _ := v.Text()
	return text
}

// bambaWritable refuses what llama.cpp cannot run.
func bambaWritable(c Config) error {
	b := c.(*BambaConfig)
	switch {
	case !hasBlock(b, BlockMamba2):
		return unsupported("attn_layer_indices", "found all layers: llama.cpp runs Bamba with Mamba-2 only")
	case b.Expand != 2:
		return unsupported("mamba_expand", "found %d: llama.cpp runs Bamba with 2 only", b.Expand)
	case b.UseBias:
		return unsupported("mamba_proj_bias", "found true: GGUF cannot hold the biases of in_proj and out_proj")
	case b.MLPBias:
		return unsupported("mlp_bias", "found true: llama.cpp runs Bamba without only")
	case b.TimeStepLimit != noLimit:
		return unsupported("time_step_limit", "found %v: GGUF cannot hold it, and without it results differ", b.TimeStepLimit)
	}
	return checkPairs(&b.QueryHeads, hasBlock(b, BlockAttention))
}

// turnedInGGUF returns the channels of a head whose rows are interleaved in the GGUF file.
func (c *BambaConfig) turnedInGGUF() int {
	if c.turnedWhole {
		return c.HeadDim
	}
	return c.Rope.Turned(c.HeadDim)
}

func (c *BambaConfig) ggufKeys() []GGUFKey {
	l := &ggufList{arch: "granitehybrid"}
	l.add(ggufBlocks, c.NumHiddenLayers)
	l.add(".context_length", c.positive("max_position_embeddings", 262144))
	l.add(ggufWidth, c.HiddenSize)
	l.add(ggufFeed, c.IntermediateSize)
	l.add(ggufHeads, c.NumAttentionHeads)
	l.add(ggufKeyHeads, perLayer(c, c.NumKeyValueHeads, BlockAttention))
	l.add(ggufTheta, c.Rope.Theta)
	l.add(ggufEpsilon, c.LayerNormEpsilon)
	if c.HeadDim*c.NumAttentionHeads != c.HiddenSize {
		l.add(ggufKeyLength, c.HeadDim)
		l.add(ggufValueLength, c.HeadDim)
	}
	l.add(ggufVocabulary, c.VocabSize)
	l.add(ggufRotated, c.Rope.Turned(c.HeadDim))
	l.mixer(&c.Common, &c.Mixer2)
	l.add(ggufPositions, true)
	return l.keys
}

func readBamba(r *ggufReader, t GGUFTensors) Config {
	c := NewBamba()
	c.turnedWhole = true
	n := r.blocks()
	c.NumHiddenLayers, c.HiddenSize, c.LayerNormEpsilon = n, r.size(ggufWidth, maxWidth), r.epsilon()
	heads, keys := r.layers(ggufKeyHeads, r.all())
	c.QueryHeads = r.heads(c.HiddenSize, keys)
	c.HeadDimStated = c.HeadDim*c.NumAttentionHeads != c.HiddenSize
	for i := range n {
		if heads[i] != 0 {
			c.AttentionLayers = append(c.AttentionLayers, i)
		}
	}
	r.mixer(&c.Common, &c.Mixer2)
	c.Expand = max(1, c.DInner()/c.HiddenSize)
	_, feed := r.layers(ggufFeed, r.all())
	c.IntermediateSize = max(1, feed)
	c.UseConvBias, c.AttentionBias, c.MLPBias = t.ConvBias, t.AttentionBias, t.MLPBias
	c.Rope.Theta, c.Rope.Part = r.number(ggufTheta, defaultTheta), float64(r.sizeOr(ggufRotated, maxInner, c.HeadDim))/float64(c.HeadDim)
	r.unscaledRope()
	if !r.on(ggufPositions, true) {
		r.fail(unsupported(r.arch+ggufPositions, "found false: Bamba has positions"))
	}
	if r.sizeOr(ggufExperts, maxInner, 0) > 0 {
		r.fail(unsupported(r.arch+ggufExperts, "found experts, and no factors, which Granite has: the model is neither Bamba nor Granite 4.0"))
	}
	return c
}
