package names

import "github.com/gomamba/gomamba/config"

// The blocks of Nemotron-H, each under "mixer." (transformers 5.24, models/nemotron_h/modeling_nemotron_h.py). Its files have
// the experts one by one, memory all of a layer in one tensor, [E, X, Z] and [E, Z, X].
var (
	nemotronNames  = hybrid{prefix: Backbone, others: []string{"model."}, embedding: "embeddings.weight", norm: "norm_f.weight"}
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
			{name: "mixer.up_proj.weight", shape: dims{"=F", "D"}},
			{name: "mixer.up_proj.bias", shape: dims{"F"}, init: zeros, when: "mlp_bias"},
			{name: "mixer.down_proj.weight", shape: dims{"D", "F"}},
			{name: "mixer.down_proj.bias", shape: dims{"D"}, init: zeros, when: "mlp_bias"},
		},
	}

	nemotronMoE = block{
		title: "blocks of experts",
		norm:  "norm.weight",
		under: "mixer.",
		rows: []row{
			rowNorm,
			{name: "mixer.gate.weight", shape: dims{"=E", "D"}},
			{name: "mixer.gate.e_score_correction_bias", shape: dims{"E"}, init: zeros},
			{name: "mixer.fc1_latent_proj.weight", shape: dims{"Z", "D"}, when: "moe_latent_size"},
			{name: "mixer.fc1_latent_proj.bias", shape: dims{"Z"}, init: zeros, when: "moe_latent_bias"},
			{name: "mixer.experts.{e}.up_proj.weight", each: "E", inside: "mixer.experts.up_proj", shape: dims{"=X", "Z"}},
			{name: "mixer.experts.{e}.down_proj.weight", each: "E", inside: "mixer.experts.down_proj", shape: dims{"Z", "X"}},
			{name: "mixer.fc2_latent_proj.weight", shape: dims{"D", "Z"}, when: "moe_latent_size"},
			{name: "mixer.fc2_latent_proj.bias", shape: dims{"D"}, init: zeros, when: "moe_latent_bias"},
			{name: "mixer.shared_experts.up_proj.weight", shape: dims{"=S", "D"}},
			{name: "mixer.shared_experts.up_proj.bias", shape: dims{"S"}, init: zeros, when: "mlp_bias"},
			{name: "mixer.shared_experts.down_proj.weight", shape: dims{"D", "S"}},
			{name: "mixer.shared_experts.down_proj.bias", shape: dims{"D"}, init: zeros, when: "mlp_bias"},
		},
	}
)
