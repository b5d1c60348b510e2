package hostile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// family is a family of hybrids, or of mamba_ssm's own models: a small model of two layers, and what contradicts it.
type family struct {
	name    string // also what Tensors takes
	config  string
	tensors func() []Tensor
	sizes   []string // keys of integers, of which none may be far out of range
	changes []change
	foreign bool // transformers does not have it
}

const (
	configGranite = `{"model_type": "granitemoehybrid", "architectures": ["GraniteMoeHybridForCausalLM"], "vocab_size": 16, "hidden_size": 8,
 "num_hidden_layers": 2, "layer_types": ["mamba", "attention"], "intermediate_size": 6, "shared_intermediate_size": 12, "num_attention_heads": 2,
 "num_key_value_heads": 1, "num_local_experts": 4, "num_experts_per_tok": 2, "mamba_n_heads": 4, "mamba_d_head": 4, "mamba_n_groups": 2,
 "mamba_d_state": 4, "mamba_d_conv": 4, "mamba_expand": 2, "position_embedding_type": "nope", "embedding_multiplier": 2, "tie_word_embeddings": true}`
	configJamba = `{"model_type": "jamba", "architectures": ["JambaForCausalLM"], "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 2,
 "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 1, "num_experts": 4, "num_experts_per_tok": 2,
 "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1, "mamba_d_state": 4, "mamba_d_conv": 4,
 "mamba_expand": 2, "mamba_dt_rank": 1, "mamba_conv_bias": true, "mamba_proj_bias": false}`
	configFalconH1 = `{"model_type": "falcon_h1", "architectures": ["FalconH1ForCausalLM"], "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 2,
 "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "mamba_d_ssm": 16, "mamba_n_heads": 4,
 "mamba_d_head": 4, "mamba_n_groups": 2, "mamba_d_state": 4, "mamba_d_conv": 4, "mamba_rms_norm": true, "key_multiplier": 0.5,
 "ssm_multipliers": [1, 1, 1, 1, 0.5], "mlp_multipliers": [1, 0.5], "rope_parameters": {"rope_type": "default", "rope_theta": 10000}}`
	configBamba = `{"model_type": "bamba", "architectures": ["BambaForCausalLM"], "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 2,
 "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 1, "attn_layer_indices": [1], "mamba_n_heads": 4,
 "mamba_d_head": "auto", "mamba_n_groups": 2, "mamba_d_state": 4, "mamba_d_conv": 4, "mamba_expand": 2}`
	configZamba = `{"model_type": "zamba", "architectures": ["ZambaForCausalLM"], "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 2,
 "layers_block_type": ["mamba", "hybrid"], "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 2, "n_mamba_heads": 2,
 "mamba_d_state": 4, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 1, "attention_head_dim": 8}`
	configZamba2 = `{"model_type": "zamba2", "architectures": ["Zamba2ForCausalLM"], "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 2,
 "layers_block_type": ["mamba", "hybrid"], "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 2, "n_mamba_heads": 4,
 "mamba_ngroups": 2, "mamba_d_state": 4, "mamba_d_conv": 4, "mamba_expand": 2, "num_mem_blocks": 1, "adapter_rank": 2, "attention_head_dim": 8}`
	configAttention = `{"d_model": 8, "d_intermediate": 0, "n_layer": 2, "vocab_size": 16, "ssm_cfg": {"d_state": 4}, "attn_layer_idx": [1],
 "attn_cfg": {"causal": true, "num_heads": 2, "d_conv": 4, "rotary_emb_dim": 2}, "rms_norm": true, "pad_vocab_size_multiple": 8}`
	configMamba3 = `{"d_model": 8, "d_intermediate": 0, "n_layer": 2, "vocab_size": 16, "ssm_cfg": {"layer": "Mamba3", "d_state": 4, "headdim": 4},
 "rms_norm": true, "pad_vocab_size_multiple": 8}`

	adapters = 2
)

// hugeList has more layers than any model.
var hugeList = "[" + strings.Repeat(`"mamba", `, 5000) + `"mamba"]`

// laterFamilies are those beside Nemotron-H, which hybridEntries are about.
var laterFamilies = []family{
	{"granitemoehybrid", configGranite, granite, []string{"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "shared_intermediate_size",
		"num_attention_heads", "num_key_value_heads", "num_local_experts", "mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state",
		"mamba_d_conv", "mamba_expand"}, []change{
		{"num_experts_per_tok", "5", "num_experts_per_tok"}, {"num_local_experts", "3", "block_sparse_moe"}, {"layer_types", `["mamba"]`, "layer"}, {"layer_types", `["mamba", "mlp"]`, "layer_types"},
		{"layer_types", `["attention", "mamba"]`, "layers.0"}, {"layer_types", hugeList, "layer_types"}, {"mamba_n_groups", "3", "mamba_n_groups"}, {"mamba_d_head", "5", "mamba_d_head"},
		{"embedding_multiplier", "NaN", "embedding_multiplier"}, {"logits_scaling", "0", "logits_scaling"}, {"position_embedding_type", `"alibi"`, "position_embedding_type"},
	}, false},
	{"jamba", configJamba, jamba, []string{"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads",
		"num_key_value_heads", "num_experts", "num_experts_per_tok", "attn_layer_period", "expert_layer_period", "mamba_d_state", "mamba_d_conv",
		"mamba_expand", "mamba_dt_rank"}, []change{
		{"num_experts_per_tok", "5", "num_experts_per_tok"}, {"num_experts", "3", ""}, {"num_attention_heads", "3", "num_key_value_heads"},
		{"num_key_value_heads", "3", "num_key_value_heads"}, {"attn_layer_offset", "0", ""}, {"expert_layer_offset", "-1", ""}, {"attn_layer_offset", "-1099511627776", "attn_layer_offset"},
		{"layers_block_type", `["mamba"]`, "layers_block_type"}, {"layers_block_type", `["mamba", "moe"]`, "layers_block_type"}, {"layers_block_type", hugeList, "layers_block_type"},
		{"mamba_dt_rank", `"automatic"`, "mamba_dt_rank"}, {"mamba_proj_bias", "true", "bias"}, {"hidden_act", `"gelu"`, "hidden_act"}, {"rms_norm_eps", "-1", "rms_norm_eps"},
	}, false},
	{"falcon_h1", configFalconH1, falconH1, []string{"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads",
		"num_key_value_heads", "head_dim", "mamba_d_ssm", "mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv"}, []change{
		{"mamba_n_heads", "3", "mamba_n_heads"}, {"mamba_n_groups", "3", "mamba_n_groups"}, {"head_dim", "3", ""},
		{"mamba_rms_norm", "false", "mamba.norm.weight"}, {"ssm_multipliers", "[1, 1]", "ssm_multipliers"}, {"mlp_multipliers", "[NaN, 1]", "mlp_multipliers"},
		{"ssm_multipliers", `"1"`, "ssm_multipliers"}, {"key_multiplier", "Infinity", "key_multiplier"}, {"key_multiplier", "null", "key_multiplier"},
		{"rope_parameters", `{"rope_type": "yarn", "factor": 4}`, "rope_parameters"}, {"rope_parameters", `{"rope_theta": -1}`, "rope_theta"}, {"time_step_limit", "[1, 0]", "time_step_limit"},
	}, false},
	{"bamba", configBamba, bamba, []string{"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads",
		"num_key_value_heads", "mamba_n_heads", "mamba_n_groups", "mamba_d_state", "mamba_d_conv", "mamba_expand"}, []change{
		{"attn_layer_indices", "[0]", "layers."}, {"attn_layer_indices", "null", "layers.1"}, {"attn_layer_indices", "[0, 1]", "layers.0"}, {"attn_layer_indices", `["1"]`, "attn_layer_indices"},
		{"attn_layer_indices", "[1099511627776, -1]", "layers.1"}, {"attn_layer_indices", "[" + strings.Repeat("1, ", 5000) + "1]", "attn_layer_indices"}, {"attn_layer_indices", "1", "attn_layer_indices"},
		{"mamba_n_heads", "3", "mamba_n_heads"}, {"mamba_d_head", "5", "mamba_d_head"}, {"mamba_d_head", `"many"`, "mamba_d_head"},
		{"rope_parameters", `{"partial_rotary_factor": 2}`, "partial_rotary_factor"}, {"mlp_bias", "true", "bias"},
	}, false},
	{"zamba", configZamba, zamba, []string{"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads",
		"num_key_value_heads", "attention_head_dim", "n_mamba_heads", "mamba_d_state", "mamba_d_conv", "mamba_expand", "mamba_dt_rank"}, []change{
		{"layers_block_type", `["mamba"]`, "layers_block_type"}, {"layers_block_type", `["mamba", "hybrid", "mamba"]`, "layers_block_type"}, {"layers_block_type", `["mamba", "attention"]`, "layers_block_type"},
		{"layers_block_type", hugeList, "layers_block_type"}, {"layers_block_type", `["hybrid", "mamba"]`, "layers."}, {"n_mamba_heads", "3", "n_mamba_heads"},
		{"attention_hidden_size", "8", "attention_hidden_size"}, {"hidden_act", `"tanh"`, "hidden_act"}, {"hidden_mamba_act", `"gelu"`, "hidden_mamba_act"},
	}, false},
	{"zamba2", configZamba2, zamba2, []string{"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
		"attention_head_dim", "n_mamba_heads", "mamba_ngroups", "mamba_d_state", "mamba_d_conv", "mamba_expand", "num_mem_blocks", "adapter_rank"}, []change{
		{"layers_block_type", `["mamba"]`, "layers_block_type"}, {"layers_block_type", `["mamba", "attention"]`, "layers_block_type"}, {"layers_block_type", hugeList, "layers_block_type"},
		{"layers_block_type", `["hybrid", "hybrid"]`, "layers.0"}, {"mamba_ngroups", "3", "mamba_ngroups"}, {"num_mem_blocks", `"1"`, "num_mem_blocks"},
		{"hybrid_layer_ids", "[0]", "hybrid_layer_ids"}, {"hybrid_layer_ids", "[1, 1099511627776]", "hybrid_layer_ids"}, {"hybrid_layer_ids", `"1"`, "hybrid_layer_ids"},
		{"use_shared_attention_adapter", "true", "adapter"}, {"intermediate_size", "-1", "intermediate_size"}, {"add_bias_linear", "true", "bias"}, {"tie_word_embeddings", "false", "lm_head"},
	}, false},
	{"mamba_ssm", configAttention, attending, []string{"d_model", "n_layer", "vocab_size", "d_intermediate", "d_state", "num_heads", "d_conv", "rotary_emb_dim"}, []change{
		{"attn_layer_idx", "[-1]", "attn_layer_idx"}, {"attn_layer_idx", "[2]", "attn_layer_idx"}, {"attn_layer_idx", "[0, 1]", "layers.0"}, {"attn_layer_idx", "[1, 1, 1099511627776]", "attn_layer_idx"},
		{"attn_layer_idx", "[" + strings.Repeat("1, ", 5000) + "1]", "attn_layer_idx"}, {"attn_layer_idx", `"1"`, "attn_layer_idx"}, {"attn_layer_idx", "[]", "1 block (1)"},
		{"num_heads", "3", "attn_cfg.head_dim"}, {"rotary_emb_dim", "3", "attn_cfg.rotary_emb_dim"}, {"rotary_emb_dim", "6", "attn_cfg.rotary_emb_dim"}, {"causal", "false", "attn_cfg.causal"},
		{"attn_cfg", "[]", "attn_cfg"}, {"attn_cfg", "null", "attn_cfg.causal"}, {"attn_cfg", `{"causal": true, "num_heads": 2, "colour": 1}`, "attn_cfg.colour"},
		{"attn_cfg", `{"causal": true, "num_heads": 2, "num_heads_kv": 3}`, "attn_cfg.num_heads_kv"}, {"attn_cfg", `{"causal": true, "num_heads": 2, "softmax_scale": 0}`, "softmax_scale"},
	}, true},
	{"mamba3", configMamba3, mamba3, []string{"d_model", "n_layer", "vocab_size", "d_state", "headdim"}, []change{
		{"ssm_cfg", `{"layer": "Mamba3", "d_state": 3}`, ""}, {"ssm_cfg", `{"layer": "Mamba3", "d_state": 4, "headdim": 5}`, "headdim"}, {"ssm_cfg", `{"layer": "Mamba3", "d_state": 4, "headdim": 4, "ngroups": 3}`, "ngroups"},
		{"ssm_cfg", `{"layer": "Mamba3", "d_state": 4, "headdim": 4, "rope_fraction": 0.25}`, "rope_fraction"}, {"ssm_cfg", `{"layer": "Mamba3", "d_state": 4, "headdim": 4, "A_floor": 0}`, "A_floor"},
		{"ssm_cfg", `{"layer": "Mamba3", "d_state": 4, "headdim": 4, "is_mimo": true, "mimo_rank": 0}`, "mimo_rank"}, {"ssm_cfg", `{"layer": "Mamba3", "d_state": 4, "headdim": 4, "is_mimo": true, "mimo_rank": 1099511627776}`, "mimo_rank"},
		{"ssm_cfg", `{"layer": "Mamba3", "d_state": 4, "headdim": 4, "is_mimo": true}`, "in_proj"}, {"d_intermediate", "-1", "d_intermediate"}, {"attn_layer_idx", "[0]", "attn_layer_idx"}, {"rms_norm", "false", "rms_norm"},
	}, true},
}

// listing collects the tensors of a model of two layers.
type listing struct {
	list []Tensor
	name string // of a layer, with the number of it left out
}

func (l *listing) add(layer int, under string, shapes map[string][]int) {
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		l.list = append(l.list, draw(fmt.Sprintf(l.name, layer)+under+name, shapes[name]...))
	}
}

// ends are the embedding, the last norm, and the head of a model that is not tied.
func (l *listing) ends(embedding, norm string, head bool) []Tensor {
	list := append([]Tensor{draw(embedding, vocab, width)}, l.list...)
	if list = append(list, draw(norm, width)); head {
		list = append(list, draw("lm_head.weight", vocab, width))
	}
	return list
}

// The shapes of blocks.
var (
	shapesMamba1 = map[string][]int{"in_proj.weight": {2 * inner, width}, "conv1d.weight": {inner, 1, kernel}, "conv1d.bias": {inner},
		"x_proj.weight": {rank + 2*state, inner}, "dt_proj.weight": {inner, rank}, "dt_proj.bias": {inner}, "A_log": {inner, state}, "D": {inner},
		"out_proj.weight": {width, inner}}
	shapesMamba2 = map[string][]int{"in_proj.weight": {2*inner + 2*groups*state + heads, width}, "conv1d.weight": {inner + 2*groups*state, 1, kernel},
		"conv1d.bias": {inner + 2*groups*state}, "dt_bias": {heads}, "A_log": {heads}, "D": {heads}, "norm.weight": {inner}, "out_proj.weight": {width, inner}}
	shapesAttention = map[string][]int{"q_proj.weight": {queries, width}, "k_proj.weight": {keys, width}, "v_proj.weight": {keys, width}, "o_proj.weight": {width, queries}}
	shapesSwiGLU    = map[string][]int{"gate_proj.weight": {mlpWidth, width}, "up_proj.weight": {mlpWidth, width}, "down_proj.weight": {width, mlpWidth}}
	shapesNorms     = map[string][]int{"input_layernorm.weight": {width}, "pre_ff_layernorm.weight": {width}}
	shapesShared    = map[string][]int{"input_layernorm.weight": {2 * width}, "self_attn.q_proj.weight": {2 * width, 2 * width}, "self_attn.k_proj.weight": {2 * width, 2 * width},
		"self_attn.v_proj.weight": {2 * width, 2 * width}, "self_attn.o_proj.weight": {width, 2 * width}, "pre_ff_layernorm.weight": {width}}
)

const hfLayer = "model.layers.%d."

func granite() []Tensor {
	l := &listing{name: hfLayer}
	l.add(0, "mamba.", shapesMamba2)
	l.add(1, "self_attn.", shapesAttention)
	for i := range layers {
		l.add(i, "shared_mlp.", map[string][]int{"input_linear.weight": {2 * mlpWidth, width}, "output_linear.weight": {width, mlpWidth}})
		l.add(i, "block_sparse_moe.", map[string][]int{"input_linear.weight": {experts, 2 * expertWidth, width},
			"output_linear.weight": {experts, width, expertWidth}, "router.layer.weight": {experts, width}})
		l.add(i, "", map[string][]int{"input_layernorm.weight": {width}, "post_attention_layernorm.weight": {width}})
	}
	return l.ends("model.embed_tokens.weight", "model.norm.weight", false)
}

func jamba() []Tensor {
	l := &listing{name: hfLayer}
	l.add(0, "mamba.", shapesMamba1)
	l.add(0, "mamba.", map[string][]int{"dt_layernorm.weight": {rank}, "b_layernorm.weight": {state}, "c_layernorm.weight": {state}})
	l.add(0, "feed_forward.", shapesSwiGLU)
	l.add(0, "", shapesNorms)
	l.add(1, "self_attn.", shapesAttention)
	l.add(1, "feed_forward.", map[string][]int{"router.weight": {experts, width}})
	for e := range experts {
		l.add(1, fmt.Sprintf("feed_forward.experts.%d.", e), shapesSwiGLU)
	}
	l.add(1, "", shapesNorms)
	return l.ends("model.embed_tokens.weight", "model.final_layernorm.weight", true)
}

func falconH1() []Tensor {
	l := &listing{name: hfLayer}
	for i := range layers {
		l.add(i, "mamba.", shapesMamba2)
		l.add(i, "self_attn.", shapesAttention)
		l.add(i, "feed_forward.", shapesSwiGLU)
		l.add(i, "", shapesNorms)
	}
	return l.ends("model.embed_tokens.weight", "model.final_layernorm.weight", true)
}

func bamba() []Tensor {
	l := &listing{name: hfLayer}
	l.add(0, "mamba.", shapesMamba2)
	l.add(1, "self_attn.", shapesAttention)
	for i := range layers {
		l.add(i, "feed_forward.", shapesSwiGLU)
		l.add(i, "", shapesNorms)
	}
	return l.ends("model.embed_tokens.weight", "model.final_layernorm.weight", true)
}

func zamba() []Tensor {
	l := &listing{name: hfLayer}
	mixer := map[string][]int{"in_proj.weight": {2 * inner, width}, "conv1d.weight": {inner, 1, kernel}, "conv1d.bias": {inner},
		"x_proj_weight": {2, rank + 2*state, inner / 2}, "dt_proj_weight": {2, inner / 2, rank}, "dt_proj_bias": {2, inner / 2},
		"A_log": {2, inner / 2, state}, "D": {2, inner / 2}, "out_proj.weight": {width, inner}}
	l.add(0, "mamba.", mixer)
	l.add(0, "", map[string][]int{"input_layernorm.weight": {width}})
	l.add(1, "mamba_decoder.mamba.", mixer)
	l.add(1, "", map[string][]int{"mamba_decoder.input_layernorm.weight": {width}, "linear.weight": {width, width}})
	l.add(1, "shared_transf.", shapesShared)
	l.add(1, "shared_transf.feed_forward.", shapesSwiGLU)
	return l.ends("model.embed_tokens.weight", "model.final_layernorm.weight", false)
}

func zamba2() []Tensor {
	l := &listing{name: hfLayer}
	l.add(0, "mamba.", shapesMamba2)
	l.add(0, "", map[string][]int{"input_layernorm.weight": {width}})
	l.add(1, "mamba_decoder.mamba.", shapesMamba2)
	l.add(1, "", map[string][]int{"mamba_decoder.input_layernorm.weight": {width}, "linear.weight": {width, width}})
	l.add(1, "shared_transformer.", shapesShared)
	l.add(1, "shared_transformer.feed_forward.", map[string][]int{"gate_up_proj.weight": {2 * mlpWidth, width}, "down_proj.weight": {width, mlpWidth},
		"gate_up_proj_adapter_list.0.0.weight": {adapters, width}, "gate_up_proj_adapter_list.0.1.weight": {2 * mlpWidth, adapters}})
	return l.ends("model.embed_tokens.weight", "model.final_layernorm.weight", false)
}

const ssmLayer = "backbone.layers.%d."

func attending() []Tensor {
	l := &listing{name: ssmLayer}
	l.add(0, "mixer.", shapesMamba1)
	l.add(1, "mixer.", map[string][]int{"in_proj.weight": {3 * width, width}, "in_proj.bias": {3 * width}, "conv1d.weight": {3 * width, 1, kernel},
		"conv1d.bias": {3 * width}, "out_proj.weight": {width, width}, "out_proj.bias": {width}})
	for i := range layers {
		l.add(i, "", map[string][]int{"norm.weight": {width}})
	}
	return l.ends("backbone.embedding.weight", "backbone.norm_f.weight", true)
}

func mamba3() []Tensor {
	l := &listing{name: ssmLayer}
	for i := range layers {
		l.add(i, "mixer.", map[string][]int{"in_proj.weight": {2*inner + 2*state + 3*heads + state/4, width}, "dt_bias": {heads}, "B_bias": {heads, 1, state},
			"C_bias": {heads, 1, state}, "B_norm.weight": {state}, "C_norm.weight": {state}, "D": {heads}, "out_proj.weight": {width, inner}})
		l.add(i, "", map[string][]int{"norm.weight": {width}})
	}
	return l.ends("backbone.embedding.weight", "backbone.norm_f.weight", true)
}

// familyEntries are about the families that came after Nemotron-H: settings that contradict themselves or the tensors, tensors that
// are missing, of another shape or dtype, and files that end early.
func familyEntries() []Entry {
	var list []Entry
	for _, f := range laterFamilies {
		whole := f.folder(f.tensors())
		if !f.foreign {
			plain := whole.good("families/" + f.name)
			plain.Family = f.name
			list = append(list, plain)
		}
		for _, key := range f.sizes {
			for _, n := range []string{"0", "-1", "1099511627776"} {
				if key == "d_intermediate" && n == "0" || (key == "d_conv" || key == "rotary_emb_dim") && n == "0" {
					continue // as it is, or without
				}
				list = append(list, configured(changed(f.config, key, n), whole).bad(fmt.Sprintf("families/%s %s %s", f.name, key, n), ""))
			}
		}
		for i, c := range f.changes {
			list = append(list, configured(changed(f.config, c.key, c.value), whole).bad(fmt.Sprintf("families/%s %s, change %d", f.name, c.key, i), c.want))
		}
		list = append(list, f.damaged()...)
	}
	older := laterFamilies[slices.IndexFunc(laterFamilies, func(f family) bool { return f.name == "jamba" })]
	twice := append(jamba(), draw("model.layers.1.moe.router.weight", experts, width))
	return append(list, older.folder(twice).bad("families/jamba a tensor twice, once under its older name", "feed_forward.router.weight"))
}

// folder is a checkpoint of the family with these tensors.
func (f *family) folder(list []Tensor) files {
	return files{"config.json": []byte(f.config), "model.safetensors": packed("F32", list)}
}

// damaged are checkpoints whose tensors are not those that the configuration says.
func (f *family) damaged() []Entry {
	var list []Entry
	inLast := func(t Tensor) bool { return strings.Contains(t.Name, "layers.1.") }
	add := func(what, want string, edit func(list []Tensor) []Tensor) {
		list = append(list, f.folder(edit(f.tensors())).bad(fmt.Sprintf("families/%s %s", f.name, what), want))
	}
	last := slices.DeleteFunc(f.tensors(), func(t Tensor) bool { return !inLast(t) || len(t.Shape) != 2 || t.Shape[0] == t.Shape[1] })
	for _, odd := range slices.CompactFunc([]Tensor{last[0], last[len(last)-1]}, func(a, b Tensor) bool { return a.Name == b.Name }) {
		is := func(t Tensor) bool { return t.Name == odd.Name }
		add("without "+odd.Name, "missing", func(list []Tensor) []Tensor { return slices.DeleteFunc(list, is) })
		add("transposed "+odd.Name, odd.Name, func(list []Tensor) []Tensor {
			t := &list[slices.IndexFunc(list, is)]
			t.Shape = []int{t.Shape[1], t.Shape[0]}
			return list
		})
		text, body := header("F32", f.tensors())
		text = strings.Replace(text, fmt.Sprintf(`%q:{"dtype":"F32"`, odd.Name), fmt.Sprintf(`%q:{"dtype":"I32"`, odd.Name), 1)
		list = append(list, files{"config.json": []byte(f.config), "model.safetensors": raw(text, body)}.bad(fmt.Sprintf("families/%s integers in %s", f.name, odd.Name), "I32"))
	}
	add("without its last layer", "layers.1.", func(list []Tensor) []Tensor { return slices.DeleteFunc(list, inLast) })
	add("a layer too many", "layers.7.", func(list []Tensor) []Tensor {
		extra := last[0]
		extra.Name = strings.Replace(extra.Name, "layers.1.", "layers.7.", 1)
		return append(list, extra)
	})
	weights := packed("F32", f.tensors())
	cut := files{"config.json": []byte(f.config), "model.safetensors": bytes.Clone(weights[:len(weights)-5])}
	return append(list, cut.bad(fmt.Sprintf("families/%s cut", f.name), "truncated"))
}
