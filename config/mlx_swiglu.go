package config

import "strconv"

// mlxJamba is Jamba without experts. mlx-lm weights the experts that a token chooses by a softmax over these alone, which is that over
// all only if a token chooses all.
var mlxJamba = &mlxLM{
	writable: func(c Config) error {
		j := c.(*JambaConfig)
		experts := hasBlock(j, BlockSwiGLUMoE)
		switch {
		case !hasBlock(j, BlockMamba1) || !hasBlock(j, BlockAttention):
			return unsupported("attn_layer_period", "found %d: mlx-lm opens only models that have layers of Mamba-1 and of attention", j.Attention.Period)
		case j.HeadDim*j.NumAttentionHeads != j.HiddenSize:
			return mlxHeads(&j.QueryHeads, j.HiddenSize)
		case experts && j.NumExpertsPerTok != j.NumExperts:
			return unsupported("num_experts", "found %d, of which a token chooses %d: mlx-lm weights these by a softmax over them alone, and would compute other results",
				j.NumExperts, j.NumExpertsPerTok)
		case experts && 2*j.Experts.Offset%j.Experts.Period != 0:
			return unsupported("expert_layer_offset", "found %d with expert_layer_period %d: mlx-lm has experts in other layers then", j.Experts.Offset, j.Experts.Period)
		}
		return nil
	},
	stated: func(c Config) []Extra { return c.(*JambaConfig).longest() },
}

// mlxHeads refuses heads that are not hidden_size wide together.
func mlxHeads(a *QueryHeads, width int) error {
	return unsupported("head_dim", "found %d, which times num_attention_heads %d is not hidden_size %d: mlx-lm has no other heads", a.HeadDim, a.NumAttentionHeads, width)
}

// mlxFalconH1 is Falcon-H1, whose multipliers mlx-lm has in the weights.
var mlxFalconH1 = &mlxLM{
	writable: func(c Config) error {
		f := c.(*FalconH1Config)
		switch {
		case f.TimeStepLimit != noLimit:
			return unsupported(keyLimit, "found %s: mlx-lm does not limit dt in this family, and would compute other results", limitText(f.TimeStepLimit))
		case f.RMSNorm:
			return mlxGroups("mamba_n_groups", f.NGroups)
		}
		return nil
	},
	stated: func(c Config) []Extra {
		f := c.(*FalconH1Config)
		return []Extra{{"head_dim", strconv.Itoa(f.HeadDim)}, {"mamba_d_ssm", strconv.Itoa(f.DInner())}, {keyTheta, formatFloat(f.Rope.Theta)}}
	},
	added: []string{keyTheta},
	read: func(c Config) error {
		f := c.(*FalconH1Config)
		if f.AttentionIn != 1 {
			return unsupported("attention_in_multiplier", "found %s: mlx-lm multiplies queries and keys by it and leaves the values out, which is another model; "+
				"convert transformers' files", formatFloat(f.AttentionIn))
		}
		m := f.inWeights()
		if m.Key = f.Key; m.Key != 1 {
			f.notes = append(f.notes, Note{Key: "key_multiplier", Detail: "found " + formatFloat(m.Key) +
				": mlx-lm's conversion leaves it out, and mlx-lm computes without it; here it counts"})
		}
		f.Multipliers = m
		return nil
	},
}

// inWeights are what remains of the multipliers when they are in the weights: nothing, but for a head that is the embedding.
func (c *FalconH1Config) inWeights() Multipliers {
	m := plain()
	if c.TieWordEmbeddings {
		m.Head = c.Head / c.Embedding
	}
	return m
}

// InMLX returns the configuration of a model as mlx-lm's files hold it: the multipliers of Falcon-H1 are in the weights there. It is c
// itself if nothing changes.
func InMLX(c Config) Config {
	f, ok := c.(*FalconH1Config)
	if !ok || f.Multipliers == f.inWeights() {
		return c
	}
	f = f.Clone().(*FalconH1Config)
	f.Multipliers = f.inWeights()
	return f
}
