package names

import "github.com/gomamba/gomamba/config"

// The blocks of Bamba (transformers 5.24, models/bamba/modeling_bamba.py).
var (
	bambaNames = hybrid{
		prefix: "model.", embedding: "embed_tokens.weight", norm: "final_layernorm.weight", steps: ones, padded: true,
		modules: []string{
			"feed_forward", "input_layernorm", "pre_ff_layernorm", "mamba.dt_bias", "mamba.A_log", "mamba.D", "mamba.conv1d", "mamba.in_proj",
			"mamba.norm", "mamba.out_proj", "self_attn",
		},
	}
	bambaBlocks = []kind{
		{config.BlockMamba2, &bambaMamba2}, {config.BlockAttention, &bambaAttention}, {config.BlockSwiGLU, &bambaMLP},
	}

	bambaMamba2    = mamba2Under("input_layernorm.weight", "mamba.", "mamba_proj_bias", "mamba_conv_bias")
	bambaAttention = attentionUnder("input_layernorm.weight", "self_attn.", "attention_bias").turning("T")
	bambaMLP       = swiGLUUnder("pre_ff_layernorm.weight", "ffn_norm.weight", "feed_forward.", "mlp_bias")
)
