package names

import "github.com/gomamba/gomamba/config"

// The blocks of Granite 4.0 (transformers 5.24, models/granitemoehybrid/modeling_granitemoehybrid.py). In files gate and
// up are one matrix, the gate's rows first.
var (
	graniteNames  = hybrid{prefix: "model.", embedding: "embed_tokens.weight", norm: "norm.weight", steps: ones}
	graniteBlocks = []kind{
		{config.BlockMamba2, &graniteMamba2}, {config.BlockAttention, &graniteAttention},
		{config.BlockSwiGLU, &graniteMLP}, {config.BlockSwiGLUMoE, &graniteMoE},
	}

	graniteMamba2    = mamba2Under("input_layernorm.weight", "mamba.", "mamba_proj_bias", "mamba_conv_bias")
	graniteAttention = attentionUnder("input_layernorm.weight", "self_attn.", "attention_bias")

	graniteMLP = block{title: "SwiGLU blocks", norm: graniteNorm.name, under: "", rows: append([]row{graniteNorm}, graniteShared("", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")...)}

	graniteMoE = block{
		title: "blocks of SwiGLU experts",
		norm:  graniteNorm.name,
		under: "",
		rows: append([]row{
			graniteNorm,
			{name: "block_sparse_moe.router.layer.weight", inside: "block_sparse_moe.router.weight", shape: dims{"=E", "D"},
				gguf: place{name: "ffn_gate_inp.weight", f32: true}},
			graniteExpert("gate", "input_linear", "gate_up_proj", dims{"F", "D"}),
			graniteExpert("up", "input_linear", "gate_up_proj", dims{"F", "D"}),
			graniteExpert("down", "output_linear", "down_proj", dims{"D", "=F"}),
		}, graniteShared("_shexp", "shared_mlp.input_linear", "shared_mlp.input_linear", "shared_mlp.output_linear")...),
	}

	graniteNorm = row{name: "post_attention_layernorm.weight", shape: dims{"D"}, init: ones, gguf: place{name: "ffn_norm.weight", f32: true}}
)

// graniteShared is the SwiGLU that every token passes. llama.cpp has another name for it beside experts, mlx-lm without them.
func graniteShared(kind, gate, up, down string) []row {
	const fused = "shared_mlp.input_linear.weight"
	return []row{
		{name: "shared_mlp.gate_proj.weight", file: fused, mlx: gate + ".weight", shape: dims{"S", "D"}, gguf: place{name: "ffn_gate" + kind + ".weight"}},
		{name: "shared_mlp.up_proj.weight", file: fused, mlx: up + ".weight", shape: dims{"S", "D"}, gguf: place{name: "ffn_up" + kind + ".weight"}},
		{name: "shared_mlp.output_linear.weight", mlx: down + ".weight", shape: dims{"D", "=S"}, gguf: place{name: "ffn_down" + kind + ".weight"}},
	}
}

// graniteExpert is a projection of each expert; in files and in memory all of a layer are in one tensor.
func graniteExpert(name, file, inside string, shape dims) row {
	return row{name: "block_sparse_moe.experts.{e}." + name + "_proj.weight", each: "E", shape: shape, mlx: "block_sparse_moe.switch_mlp." + name + "_proj.weight",
		file: "block_sparse_moe." + file + ".weight", inside: "block_sparse_moe.experts." + inside, gguf: place{name: "ffn_" + name + "_exps.weight"}}
}
