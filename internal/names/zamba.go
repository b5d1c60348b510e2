package names

import "github.com/gomamba/gomamba/config"

// The blocks of Zamba (transformers 5.24, models/zamba/modeling_zamba.py): those of Zamba2 without narrow products, around the mixer
// of Mamba-1 by heads.
var (
	zambaNames  = hybrid{prefix: "model.", embedding: "embed_tokens.weight", norm: "final_layernorm.weight", steps: stepSize, padded: true, modules: zambaModules("shared_transf")}
	zambaBlocks = []kind{
		{config.BlockZamba, &zambaMixer}, {config.BlockSharedAttention, &zambaAttention}, {config.BlockSharedMLP, &zambaMLP},
		{config.BlockLinear, &zambaLinear}, {config.BlockJoinedZamba, &zambaJoined},
	}

	zambaMixer  = zambaUnder("")
	zambaJoined = zambaUnder("mamba_decoder.")

	zambaAttention = block{
		title:  "shared attention blocks",
		norm:   "shared_transf.input_layernorm.weight",
		under:  "shared_transf.self_attn.",
		shared: true,
		rows:   sharedAttention("shared_transf."),
	}

	zambaMLP = block{
		title:  "shared MLP blocks",
		norm:   "shared_transf.pre_ff_layernorm.weight",
		under:  "shared_transf.feed_forward.",
		shared: true,
		rows: []row{
			{name: "shared_transf.pre_ff_layernorm.weight", shape: dims{"D"}, init: ones},
			{name: "shared_transf.feed_forward.gate_proj.weight", shape: dims{"=F", "D"}},
			{name: "shared_transf.feed_forward.up_proj.weight", shape: dims{"F", "D"}},
			{name: "shared_transf.feed_forward.down_proj.weight", shape: dims{"D", "F"}},
		},
	}
)

// zambaUnder is the mixer, within a module.
func zambaUnder(decoder string) block {
	under := decoder + "mamba."
	return block{
		title: "Mamba-1 blocks with heads",
		norm:  decoder + "input_layernorm.weight",
		under: under,
		rows: []row{
			{name: decoder + "input_layernorm.weight", shape: dims{"D"}, init: ones},
			{name: under + "in_proj.weight", shape: dims{"2I", "D"}}, // x and z by turns
			{name: under + "in_proj.bias", shape: dims{"2I"}, init: zeros, when: "mamba_proj_bias"},
			{name: under + "conv1d.weight", shape: dims{"I", "1", "=K"}, init: convolution},
			{name: under + "conv1d.bias", shape: dims{"I"}, init: convolution, when: "mamba_conv_bias"},
			{name: under + "x_proj_weight", shape: dims{"H", "R+2N", "P"}}, // dt, B, C
			{name: under + "dt_proj_weight", shape: dims{"H", "P", "=R"}},
			{name: under + "dt_proj_bias", shape: dims{"H", "P"}, init: stepSize},
			{name: under + "A_log", shape: dims{"=H", "=P", "=N"}, init: realS4D},
			{name: under + "D", shape: dims{"H", "P"}, init: ones},
			{name: under + "out_proj.weight", shape: dims{"D", "I"}, init: outProjection},
			{name: under + "out_proj.bias", shape: dims{"D"}, init: zeros, when: "mamba_proj_bias"},
		},
	}
}
