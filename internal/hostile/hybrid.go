package hostile

import (
	"fmt"
	"slices"
	"strings"
)

// The hybrid: a layer each of Mamba-2, attention, experts and an MLP.
const (
	configNemotron = `{"model_type": "nemotron_h", "architectures": ["NemotronHForCausalLM"], "vocab_size": 16, "hidden_size": 8,
 "hybrid_override_pattern": "M*E-", "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "intermediate_size": 12,
 "ssm_state_size": 4, "mamba_num_heads": 4, "mamba_head_dim": 4, "n_groups": 2, "conv_kernel": 4, "n_routed_experts": 4,
 "num_experts_per_tok": 2, "moe_intermediate_size": 6, "moe_shared_expert_intermediate_size": 5, "n_group": 2, "topk_group": 1}`

	queries, keys, experts, expertWidth, sharedWidth, mlpWidth = 8, 4, 4, 6, 5, 12
)

// nemotron lists the weights of the hybrid.
func nemotron() []Tensor {
	channels := inner + 2*groups*state
	list := []Tensor{draw("backbone.embeddings.weight", vocab, width)}
	add := func(layer int, name string, shape ...int) {
		list = append(list, draw(fmt.Sprintf("backbone.layers.%d.%s", layer, name), shape...))
	}
	add(0, "mixer.in_proj.weight", inner+channels+heads, width)
	add(0, "mixer.conv1d.weight", channels, 1, kernel)
	add(0, "mixer.conv1d.bias", channels)
	add(0, "mixer.dt_bias", heads)
	add(0, "mixer.A_log", heads)
	add(0, "mixer.D", heads)
	add(0, "mixer.norm.weight", inner)
	add(0, "mixer.out_proj.weight", width, inner)
	add(1, "mixer.q_proj.weight", queries, width)
	add(1, "mixer.k_proj.weight", keys, width)
	add(1, "mixer.v_proj.weight", keys, width)
	add(1, "mixer.o_proj.weight", width, queries)
	add(2, "mixer.gate.weight", experts, width)
	add(2, "mixer.gate.e_score_correction_bias", experts)
	for e := range experts {
		add(2, fmt.Sprintf("mixer.experts.%d.up_proj.weight", e), expertWidth, width)
	}
	for e := range experts {
		add(2, fmt.Sprintf("mixer.experts.%d.down_proj.weight", e), width, expertWidth)
	}
	add(2, "mixer.shared_experts.up_proj.weight", sharedWidth, width)
	add(2, "mixer.shared_experts.down_proj.weight", width, sharedWidth)
	add(3, "mixer.up_proj.weight", mlpWidth, width)
	add(3, "mixer.down_proj.weight", width, mlpWidth)
	for l := range 4 {
		add(l, "norm.weight", width)
	}
	return append(list, draw("backbone.norm_f.weight", width), draw("lm_head.weight", vocab, width))
}

// stacked has all experts of the hybrid in one tensor for each projection.
func stacked(list []Tensor) []Tensor {
	var out []Tensor
	for _, t := range list {
		before, after, expert := strings.Cut(t.Name, ".experts.")
		_, projection, _ := strings.Cut(after, ".")
		name := before + ".experts." + strings.TrimSuffix(projection, ".weight")
		switch i := slices.IndexFunc(out, func(t Tensor) bool { return t.Name == name }); {
		case !expert:
			out = append(out, t)
		case i < 0:
			out = append(out, Tensor{name, append([]int{1}, t.Shape...), t.Values})
		default:
			out[i].Shape[0]++
			out[i].Values = append(slices.Clip(out[i].Values), t.Values...)
		}
	}
	return out
}

// hybridEntries are about what hybrids have and pure models do not.
func hybridEntries() []Entry {
	folder := func(list []Tensor) files {
		return files{"config.json": []byte(configNemotron), "model.safetensors": packed("F32", list)}
	}
	whole := folder(nemotron())
	without := func(part string) []Tensor {
		return slices.DeleteFunc(nemotron(), func(t Tensor) bool { return strings.Contains(t.Name, part) })
	}
	reshaped := stacked(nemotron())
	for i := range reshaped {
		if len(reshaped[i].Shape) == 3 && strings.Contains(reshaped[i].Name, "experts") {
			s := reshaped[i].Shape
			s[0], s[1] = s[0]*s[1], 1
		}
	}
	list := []Entry{
		folder(without("experts.2.up_proj")).bad("hybrid/an expert is missing", "1 of 33 tensors missing"),
		folder(without("layers.1.mixer")).bad("hybrid/attention is missing", "layers.1.mixer.q_proj.weight"),
		folder(append(nemotron(), draw("backbone.layers.2.mixer.experts.4.up_proj.weight", expertWidth, width))).
			bad("hybrid/an expert too many", "experts.4.up_proj.weight"),
		folder(append(nemotron(), draw("backbone.layers.2.mixer.experts.99999999999999999999.up_proj.weight", 1))).good("hybrid/an expert beyond numbers"),
		folder(reshaped).bad("hybrid/experts in one tensor of another number", `experts.up_proj": found [24, 1, 8], config.json says [4, 6, 8]`),
		whole.good("hybrid/plain"),
		folder(stacked(nemotron())).good("hybrid/experts in one tensor"),
		folder(append(nemotron(), draw("mtp.layers.0.mixer.q_proj.weight", queries, width))).good("hybrid/further tokens are predicted"),
	}
	for _, key := range []string{"vocab_size", "hidden_size", "num_attention_heads", "head_dim", "intermediate_size", "ssm_state_size",
		"mamba_num_heads", "mamba_head_dim", "n_groups", "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size", "n_group", "topk_group"} {
		for _, n := range []string{"0", "-1", "1.5", `"8"`, "[8]", "268435456", "9223372036854775808", "NaN"} {
			list = append(list, configured(changed(configNemotron, key, n), whole).bad(fmt.Sprintf("hybrid/%s %s", key, n), ""))
		}
	}
	for i, c := range []change{
		{"hybrid_override_pattern", `"M*EX"`, `found "X" for layer 3`}, {"hybrid_override_pattern", `"M*E"`, "layers.3"},
		{"hybrid_override_pattern", `"M*E--"`, "layers.4"}, {"hybrid_override_pattern", `"\u0000"`, "hybrid_override_pattern"},
		{"hybrid_override_pattern", "null", "hybrid_override_pattern"}, {"hybrid_override_pattern", `"` + strings.Repeat("E", 5000) + `"`, "hybrid_override_pattern"},
		{"hybrid_override_pattern", `"` + strings.Repeat("E", 4096) + `"`, "missing"}, {"layers_block_type", `[["mamba"]]`, "layers_block_type"},
		{"layers_block_type", "{}", "layers_block_type"}, {"mlp_hidden_act", `"gelu"`, "mlp_hidden_act"}, {"moe_latent_size", "4", "moe_latent_size"},
		{"mlp_bias", "true", "bias"}, {"routed_scaling_factor", "Infinity", "routed_scaling_factor"}, {"num_key_value_heads", "2", ""},
	} {
		list = append(list, configured(changed(configNemotron, c.key, c.value), whole).bad(fmt.Sprintf("hybrid/%s %d", c.key, i), c.want))
	}
	for i := range list {
		list[i].Family = "nemotron_h"
	}
	return list
}
