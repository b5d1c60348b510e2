package names

import (
	"slices"

	"github.com/gomamba/gomamba/config"
)

// FinalNormBias is the bias of a final LayerNorm.
const FinalNormBias = Backbone + "norm_f.bias"

// The blocks of mamba_ssm's models with attention, MLPs or LayerNorm (mamba_ssm/modules/block.py, mha.py and mlp.py). Names are
// those of its state dict but for the embedding.
var (
	mambaSSMNames  = hybrid{prefix: Backbone, embedding: "embeddings.weight", norm: "norm_f.weight"}
	mambaSSMBlocks = []kind{
		{config.BlockMamba1, layerNormed(mamba1)}, {config.BlockMamba2, layerNormed(mamba2)},
		{config.BlockMHA, &mambaSSMAttention}, {config.BlockGatedMLP, &mambaSSMMLP},
	}
	mambaSSMAfter = []row{rowNormF, {name: FinalNormBias, shape: dims{"D"}, init: zeros, when: layerNorm}, rowHead}

	mambaSSMAttention = block{
		title: "attention blocks of mamba_ssm",
		norm:  "norm.weight",
		under: "mixer.",
		rows: []row{
			rowNorm, rowNormBias,
			{name: "mixer.in_proj.weight", shape: dims{"QKV+M", "D"}}, // queries, keys, values; of the MLP beside them input and gate
			{name: "mixer.in_proj.bias", shape: dims{"QKV+M"}, init: zeros, when: "attn_cfg.qkv_proj_bias"},
			{name: "mixer.conv1d.weight", shape: dims{"QKV", "1", "T"}, init: convolution, when: attnConv},
			{name: "mixer.conv1d.bias", shape: dims{"QKV"}, init: convolution, when: attnConv},
			{name: "mixer.out_proj.weight", shape: dims{"D", "O"}},
			{name: "mixer.out_proj.bias", shape: dims{"D"}, init: zeros, when: "attn_cfg.out_proj_bias"},
		},
		mambaSSM: []string{"norm", "mixer.in_proj", "mixer.conv1d", "mixer.out_proj"},
	}

	mambaSSMMLP = block{
		title: "gated MLP blocks of mamba_ssm",
		norm:  "norm2.weight",
		under: "mlp.",
		rows: []row{
			{name: "norm2.weight", shape: dims{"D"}, init: ones, vague: true},
			{name: "norm2.bias", shape: dims{"D"}, init: zeros, when: layerNorm, vague: true},
			{name: "mlp.fc1.weight", shape: dims{"2W", "D"}, vague: true}, // input above gate
			{name: "mlp.fc2.weight", shape: dims{"D", "=W"}, vague: true},
		},
		mambaSSM: []string{"norm2", "mlp.fc1", "mlp.fc2"},
	}

	rowNormBias = row{name: "norm.bias", shape: dims{"D"}, init: zeros, when: layerNorm}
)

// The switches of the biases of norms, and of attention's convolution.
const layerNorm, attnConv = "layer_norm", "attn_conv"

// layerNormed is the block of a pure family after a norm that may have a bias.
func layerNormed(b block) *block {
	b.rows = slices.Insert(slices.Clone(b.rows), 1, rowNormBias)
	mixer := slices.DeleteFunc(slices.Clone(b.mambaSSM), func(module string) bool { return module == "norm" })
	b.mambaSSM = slices.Insert(mixer, 0, "norm") // where the current version creates it
	return &b
}
