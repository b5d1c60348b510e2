package names

import (
	"strconv"

	"github.com/gomamba/gomamba/config"
)

// The blocks of Zamba2 (transformers 5.24, models/zamba2/modeling_zamba2.py). A hybrid layer has a shared block, a projection of what
// that gives, and a mixer. The tensors of a shared block are stored under the first layer that has it, and beside them two narrow
// matrices for each layer that uses it.
var (
	zamba2Names  = hybrid{prefix: "model.", embedding: "embed_tokens.weight", norm: "final_layernorm.weight", steps: stepSize, padded: true, modules: zambaModules("shared_transformer")}
	zamba2Blocks = []kind{
		{config.BlockMamba2, &zamba2Mamba2}, {config.BlockSharedAttention, &zamba2Attention}, {config.BlockSharedMLP, &zamba2MLP},
		{config.BlockLinear, &zambaLinear}, {config.BlockJoinedMamba2, &zamba2Joined},
	}

	zamba2Mamba2 = mamba2Under("input_layernorm.weight", "mamba.", "add_bias_linear", "")
	zamba2Joined = mamba2Under("mamba_decoder.input_layernorm.weight", "mamba_decoder.mamba.", "add_bias_linear", "")

	zamba2Attention = block{
		title:  "shared attention blocks",
		norm:   "shared_transformer.input_layernorm.weight",
		under:  "shared_transformer.self_attn.",
		shared: true,
		rows: append(sharedAttention("shared_transformer."),
			lowRank("self_attn.linear_q_adapter_list", 0, dims{"r", "2D"}, "use_shared_attention_adapter"),
			lowRank("self_attn.linear_q_adapter_list", 1, dims{"2D", "r"}, "use_shared_attention_adapter"),
			lowRank("self_attn.linear_k_adapter_list", 0, dims{"r", "2D"}, "use_shared_attention_adapter"),
			lowRank("self_attn.linear_k_adapter_list", 1, dims{"2D", "r"}, "use_shared_attention_adapter"),
			lowRank("self_attn.linear_v_adapter_list", 0, dims{"r", "2D"}, "use_shared_attention_adapter"),
			lowRank("self_attn.linear_v_adapter_list", 1, dims{"2D", "r"}, "use_shared_attention_adapter"),
		),
	}

	zamba2MLP = block{
		title:  "shared MLP blocks",
		norm:   "shared_transformer.pre_ff_layernorm.weight",
		under:  "shared_transformer.feed_forward.",
		shared: true,
		rows: []row{
			{name: "shared_transformer.pre_ff_layernorm.weight", shape: dims{"D"}, init: ones},
			{name: "shared_transformer.feed_forward.gate_up_proj.weight", shape: dims{"2F", "D"}}, // gate above up
			{name: "shared_transformer.feed_forward.gate_up_proj.bias", shape: dims{"2F"}, init: zeros, when: "add_bias_linear"},
			{name: "shared_transformer.feed_forward.down_proj.weight", shape: dims{"D", "=F"}},
			{name: "shared_transformer.feed_forward.down_proj.bias", shape: dims{"D"}, init: zeros, when: "add_bias_linear"},
			lowRank("feed_forward.gate_up_proj_adapter_list", 0, dims{"=r", "D"}, ""),
			lowRank("feed_forward.gate_up_proj_adapter_list", 1, dims{"2F", "r"}, ""),
		},
	}

	zambaLinear = block{title: "projections", under: "linear.", rows: []row{{name: "linear.weight", shape: dims{"D", "D"}}}}
)

// sharedAttention is attention over the stream and the embeddings, side by side, in a shared block.
func sharedAttention(within string) []row {
	return []row{
		{name: within + "input_layernorm.weight", shape: dims{"2D"}, init: ones},
		{name: within + "self_attn.q_proj.weight", shape: dims{"Q", "2D"}},
		{name: within + "self_attn.k_proj.weight", shape: dims{"KV", "2D"}},
		{name: within + "self_attn.v_proj.weight", shape: dims{"KV", "2D"}},
		{name: within + "self_attn.o_proj.weight", shape: dims{"D", "Q"}},
	}
}

// lowRank is one of the two narrow matrices that each use of a shared block adds to a projection.
func lowRank(list string, which int, shape dims, when string) row {
	return row{name: "shared_transformer." + list + "." + useIndex + "." + strconv.Itoa(which) + ".weight", uses: true, shape: shape, when: when}
}

// zambaModules is the order of the modules of a layer, the shared block having this name. That of Zamba comes first.
func zambaModules(shared string) []string {
	list := []string{"linear"}
	for _, decoder := range []string{"mamba_decoder.", ""} {
		for _, module := range []string{
			"dt_bias", "x_proj_weight", "dt_proj_weight", "dt_proj_bias", "A_log", "D", "conv1d", "in_proj", "norm", "out_proj",
		} {
			list = append(list, decoder+"mamba."+module)
		}
		list = append(list, decoder+"input_layernorm")
	}
	var inside []string
	for _, module := range []string{
		"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "self_attn.linear_q_adapter_list",
		"self_attn.linear_k_adapter_list", "self_attn.linear_v_adapter_list", "feed_forward.gate_up_proj", "feed_forward.gate_proj",
		"feed_forward.up_proj", "feed_forward.down_proj", "feed_forward.gate_up_proj_adapter_list", "input_layernorm", "pre_ff_layernorm",
	} {
		inside = append(inside, shared+"."+module)
	}
	if shared == "shared_transf" {
		return append(inside, list...)
	}
	return append(list, inside...)
}
