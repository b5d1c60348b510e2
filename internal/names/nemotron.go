package names

import "github.com/gomamba/gomamba/config"

// The blocks of Nemotron-H, each under "mixer." (transformers 5.24, models/nemotron_h/modeling_nemotron_h.py). Its files have
// the experts one by one, memory all of a layer in one tensor, [E, X, Z] and [E, Z, X].
var (
	nemotronNames  = hybrid{prefix: Backbone, others: []string{"model."}, embedding: "embeddings.weight", norm: "norm_f.weight", steps: stepSize, outs: rescaled}
	nemotronBlocks = []kind{
		{config.BlockMamba2, &mamba2}, {config.BlockAttention, &nemotronAttention}, {config.BlockMLP, &nemotronMLP}, {config.BlockMoE, &nemotronMoE},
	}

	nemotronAttention = attentionUnder("norm.weight", "mixer.", "")

	nemotronMLP = block{
		title: "MLP blocks",
		norm:  "norm.weight",
		under: "mixer.",
		rows: []row{
			rowNorm,
			{name: "mixer.up_proj.weight", shape: dims{"=F", "D"}, gguf: place{name: "ffn_up.weight"}},
			{name: "mixer.up_proj.bias", shape: dims{"F"}, init: zeros, when: "mlp_bias", gguf: place{name: "ffn_up.bias", f32: true}},
			{name: "mixer.down_proj.weight", shape: dims{"D", "F"}, gguf: place{name: "ffn_down.weight"}},
			{name: "mixer.down_proj.bias", shape: dims{"D"}, init: zeros, when: "mlp_bias", gguf: place{name: "ffn_down.bias", f32: true}},
		},
	}

	nemotronMoE = block{
		title: "blocks of experts",
		norm:  "norm.weight",
		under: "mixer.",
		rows: []row{
			rowNorm,
			{name: "mixer.gate.weight", shape: dims{"=E", "D"}, gguf: place{name: "ffn_gate_inp.weight", f32: true}},
			{name: "mixer.gate.e_score_correction_bias", shape: dims{"E"}, init: zeros, gguf: place{name: "exp_probs_b.bias", f32: true}},
			{name: "mixer.fc1_latent_proj.weight", shape: dims{"Z", "D"}, when: "moe_latent_size", gguf: place{name: "ffn_latent_down.weight"}},
			{name: "mixer.fc1_latent_proj.bias", shape: dims{"Z"}, init: zeros, when: "moe_latent_bias"},
			{name: "mixer.experts.{e}.up_proj.weight", each: "E", inside: "mixer.experts.up_proj", mlx: "mixer.switch_mlp.fc1.weight", shape: dims{"=X", "Z"}, gguf: place{name: "ffn_up_exps.weight"}},
			{name: "mixer.experts.{e}.down_proj.weight", each: "E", inside: "mixer.experts.down_proj", mlx: "mixer.switch_mlp.fc2.weight", shape: dims{"Z", "X"}, gguf: place{name: "ffn_down_exps.weight"}},
			{name: "mixer.fc2_latent_proj.weight", shape: dims{"D", "Z"}, when: "moe_latent_size", gguf: place{name: "ffn_latent_up.weight"}},
			{name: "mixer.fc2_latent_proj.bias", shape: dims{"D"}, init: zeros, when: "moe_latent_bias"},
			{name: "mixer.shared_experts.up_proj.weight", shape: dims{"=S", "D"}, gguf: place{name: "ffn_up_shexp.weight"}},
			{name: "mixer.shared_experts.up_proj.bias", shape: dims{"S"}, init: zeros, when: "mlp_bias"},
			{name: "mixer.shared_experts.down_proj.weight", shape: dims{"D", "S"}, gguf: place{name: "ffn_down_shexp.weight"}},
			{name: "mixer.shared_experts.down_proj.bias", shape: dims{"D"}, init: zeros, when: "mlp_bias"},
		},
	}
)
