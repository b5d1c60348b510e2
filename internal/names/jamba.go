package names

import (
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
)

// The blocks of Jamba (transformers 5.24, models/jamba/modeling_jamba.py). Its files have the experts one by one, memory all of a
// layer in two tensors, [E, 2F, D], the gate's rows first, and [E, D, F].
var (
	jambaNames  = hybrid{prefix: "model.", embedding: "embed_tokens.weight", norm: "final_layernorm.weight", older: jambaOlder, steps: zeros, padded: true}
	jambaBlocks = []kind{
		{config.BlockMamba1, &jambaMamba1}, {config.BlockAttention, &jambaAttention},
		{config.BlockSwiGLU, &jambaMLP}, {config.BlockSwiGLUMoE, &jambaMoE},
	}

	jambaMamba1 = mamba1Under("input_layernorm.weight", "mamba.", "mamba_proj_bias", "mamba_conv_bias",
		row{name: "mamba.dt_layernorm.weight", shape: dims{"R"}, init: ones, gguf: place{name: "ssm_dt_norm.weight", f32: true}},
		row{name: "mamba.b_layernorm.weight", shape: dims{"N"}, init: ones, gguf: place{name: "ssm_b_norm.weight", f32: true}},
		row{name: "mamba.c_layernorm.weight", shape: dims{"N"}, init: ones, gguf: place{name: "ssm_c_norm.weight", f32: true}},
	)
	jambaAttention = attentionUnder("input_layernorm.weight", "self_attn.", "").inOrder()

	jambaMLP = block{
		title: "SwiGLU blocks",
		norm:  jambaNorm.name,
		under: "feed_forward.",
		rows: []row{
			jambaNorm,
			{name: "feed_forward.gate_proj.weight", shape: dims{"=F", "D"}, gguf: place{name: "ffn_gate.weight"}},
			{name: "feed_forward.up_proj.weight", shape: dims{"F", "D"}, gguf: place{name: "ffn_up.weight"}},
			{name: "feed_forward.down_proj.weight", shape: dims{"D", "F"}, gguf: place{name: "ffn_down.weight"}},
		},
	}

	jambaMoE = block{
		title: "blocks of SwiGLU experts",
		norm:  jambaNorm.name,
		under: "feed_forward.",
		rows: []row{
			jambaNorm,
			{name: "feed_forward.router.weight", shape: dims{"=E", "D"}, gguf: place{name: "ffn_gate_inp.weight", f32: true}},
			jambaExpert("gate", "gate_up_proj", dims{"=F", "D"}),
			jambaExpert("up", "gate_up_proj", dims{"F", "D"}),
			jambaExpert("down", "down_proj", dims{"D", "F"}),
		},
	}

	jambaNorm = row{name: "pre_ff_layernorm.weight", shape: dims{"D"}, init: ones, gguf: place{name: "ffn_norm.weight", f32: true}}
)

// jambaExpert is a projection of each expert.
func jambaExpert(name, inside string, shape dims) row {
	return row{name: "feed_forward.experts.{e}." + name + "_proj.weight", each: "E", shape: shape,
		inside: "feed_forward.experts." + inside, mlx: "feed_forward.switch_mlp." + name + "_proj.weight", gguf: place{name: "ffn_" + name + "_exps.weight"}}
}

// jambaModules are those that AI21's own code called otherwise, and their current names.
var jambaModules = [][2]string{
	{"moe.", "feed_forward."}, {"pre_moe_layernorm.", "pre_ff_layernorm."},
	{"mamba.B_layernorm.", "mamba.b_layernorm."}, {"mamba.C_layernorm.", "mamba.c_layernorm."},
}

// jambaOlder returns the current name of a tensor in the files of AI21's own code, such as those of Mini-Jamba: an MLP is the one expert
// of its layer there.
func jambaOlder(cfg config.Config, layer int, rest string) string {
	for _, m := range jambaModules {
		if after, ok := strings.CutPrefix(rest, m[0]); ok {
			if m[0] == "moe." && !slices.Contains(config.BlocksOfLayer(cfg, layer), config.BlockSwiGLUMoE) {
				after = strings.TrimPrefix(after, "experts.0.")
			}
			return m[1] + after
		}
	}
	return rest
}
