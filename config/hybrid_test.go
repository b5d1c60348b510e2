package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
)

// What a published hybrid states and no class has a use for stays, and a copy of its configuration reads the same.
func TestPublishedHybrid(t *testing.T) {
	c, err := ParseHF("config.json", []byte(`{"model_type": "nemotron_h", "hybrid_override_pattern": "M-*E", "num_hidden_layers": 4,
		"attention_head_dim": 128, "norm_eps": 1e-05, "time_step_limit": [0.0, Infinity], "tie_word_embeddings": true,
		"mamba_n_groups": 4, "rescale_prenorm_residual": true, "mtp_hybrid_override_pattern": "*E", "num_nextn_predict_layers": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	n := c.(*NemotronHConfig)
	if want := []Block{BlockMamba2, BlockMLP, BlockAttention, BlockMoE}; !reflect.DeepEqual(n.Layers, want) || n.NGroups != 4 || n.NGroup != 1 {
		t.Errorf("read as %v, n_groups %d, n_group %d", n.Layers, n.NGroups, n.NGroup)
	}
	if n.TieWordEmbeddings || n.Rescales() {
		t.Error("ties or rescales, which transformers does not")
	}
	for key, want := range map[string]string{
		"hybrid_override_pattern": `"M-*E"`, "layers_block_type": `["linear_attention","mlp","full_attention","moe"]`,
		"time_step_limit": "[0.0,Infinity]", "tie_word_embeddings": "true", "num_nextn_predict_layers": "1", "mamba_n_groups": "", "n_groups": "4",
	} {
		if got := Value(c, key); got != want {
			t.Errorf("%s is written as %s, want %s", key, got, want)
		}
	}
	reencode(t, c)
}

func TestRefusedHybrids(t *testing.T) {
	for _, test := range []struct {
		family, keys string
		unsupported  bool
		want         string
	}{
		{"nemotron_h", `"hybrid_override_pattern": "M-X"`, false, `hybrid_override_pattern: found "X" for layer 2, expected M (Mamba-2)`},
		{"nemotron_h", `"hybrid_override_pattern": ""`, false, "expected a letter for each of 1 to 4096 layers"},
		{"nemotron_h", `"layers_block_type": ["mamba", "mumba"]`, false, `layers_block_type: found the string "mumba" for layer 1`},
		{"nemotron_h", `"layers_block_type": []`, false, "layers_block_type: found 0 layers"},
		{"nemotron_h", `"mlp_hidden_act": "gelu"`, true, `mlp_hidden_act: found "gelu", expected "relu2"`},
		{"nemotron_h", `"mamba_hidden_act": "relu"`, true, "mamba_hidden_act"},
		{"nemotron_h", `"n_groups": 3`, false, "n_groups: found 3, which does not divide mamba_num_heads 128"},
		{"nemotron_h", `"num_key_value_heads": 5`, false, "num_key_value_heads: found 5, which does not divide num_attention_heads 32"},
		{"nemotron_h", `"n_group": 3`, false, "n_group: found 3, which does not divide n_routed_experts 8"},
		{"nemotron_h", `"n_group": 8`, false, "expected groups of at least 2"},
		{"nemotron_h", `"n_group": 4, "topk_group": 5`, false, "topk_group: found 5, expected at most the 4 of n_group"},
		{"nemotron_h", `"n_group": 4, "num_experts_per_tok": 3`, false, "num_experts_per_tok: found 3, expected at most the 2 experts"},
		{"nemotron_h", `"n_routed_experts": 65536, "hybrid_override_pattern": "EEE"`, false, "n_routed_experts: found 65536 in each of 3 layers"},
		{"nemotron_h", `"mamba_num_heads": 268435456`, false, "mamba_num_heads: found 268435456 heads of 64 channels"},
		{"granitemoehybrid", `"layer_types": ["attention"]`, false, "layer_types: found 1 layer, expected num_hidden_layers 32"},
		{"granitemoehybrid", `"layer_types": ["mlp"], "num_hidden_layers": 1`, false, `layer_types: found the string "mlp" for layer 0`},
		{"granitemoehybrid", `"mamba_n_heads": 100`, false, "mamba_n_heads: found 100"},
		{"granitemoehybrid", `"num_experts_per_tok": 9`, false, "num_experts_per_tok: found 9, expected at most num_local_experts 8"},
		{"granitemoehybrid", `"position_embedding_type": "alibi"`, true, `position_embedding_type: found "alibi", expected "rope", "nope" or null`},
		{"granitemoehybrid", `"position_embedding_type": "rope", "rope_scaling": {"type": "linear", "factor": 2}`, true, `rope_scaling: found the type "linear"`},
		{
			"granitemoehybrid", `"position_embedding_type": "rope", "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}`,
			true, "rope_parameters: found the partial_rotary_factor 0.5",
		},
		{"granitemoehybrid", `"position_embedding_type": "rope", "rope_theta": 1e31`, false, "rope_theta: found 1e+31, expected a number above 0, at most 1e30"},
		{"granitemoehybrid", `"position_embedding_type": "rope", "rope_theta": 0`, false, "rope_theta: found 0.0, expected a number above 0, at most 1e30"},
		{"granitemoehybrid", `"logits_scaling": 0`, false, "logits_scaling: found 0"},
		{"granitemoehybrid", `"logits_scaling": null`, false, "logits_scaling: found null"},
		{"granitemoehybrid", `"hidden_act": "gelu"`, true, "hidden_act"},
		{"falcon_h1", `"mamba_d_ssm": 1000`, false, "mamba_n_heads: found 128, which times mamba_d_head 7 makes 896 channels; expected mamba_d_ssm = 1000"},
		{"falcon_h1", `"ssm_multipliers": [1, 2, 3, 4]`, false, "ssm_multipliers: found"},
		{"falcon_h1", `"mlp_multipliers": [1, 0]`, false, "mlp_multipliers: found [1.0,0.0], expected a list of 2 numbers from 2^-60 to 2^60, of either sign"},
		{"falcon_h1", `"key_multiplier": 0`, false, "key_multiplier: found 0.0, expected a number from 2^-60 to 2^60"},
		{"falcon_h1", `"head_dim": 3`, false, "head_dim: found 3, expected an even number"},
		{"falcon_h1", `"rope_parameters": {"rope_type": "llama3"}`, true, `rope_parameters: found the rope_type "llama3"`},
		{"bamba", `"hidden_size": 32`, false, "mamba_n_heads: found 128, which times mamba_d_head 1 makes 128 channels; expected mamba_expand*hidden_size = 64"},
		{"bamba", `"attn_layer_indices": [1.5]`, false, "attn_layer_indices: found"},
		{"bamba", `"attn_layer_indices": [0], "head_dim": 6`, false, "head_dim: found 6, of which 3 channels turn; expected an even number of them"},
		{"bamba", `"attn_layer_indices": [0], "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 2}`, false, "partial_rotary_factor 2, expected a number above 0, at most 1"},
		{"zamba", `"n_mamba_heads": 5`, false, "n_mamba_heads: found 5, which does not divide mamba_expand*hidden_size = 7424"},
		{"zamba", `"attention_hidden_size": 3712`, false, "attention_hidden_size: found 3712, expected 2*hidden_size = 7424"},
		{"zamba", `"hidden_mamba_act": "gelu"`, true, "hidden_mamba_act"},
		{"zamba2", `"layers_block_type": ["mamba", "attention"]`, false, `layers_block_type: found the string "attention" for layer 1`},
		{"zamba2", `"layers_block_type": ["mamba", "hybrid"]`, false, "layers_block_type: found 2 layers, expected num_hidden_layers 54"},
		{"zamba2", `"n_mamba_heads": 7`, false, "n_mamba_heads: found 7 heads of 731 channels, expected mamba_expand*hidden_size = 5120"},
		{"zamba2", `"hidden_act": "relu"`, true, `hidden_act: found "relu", expected "gelu" or "silu"`},
		{"zamba2", `"use_mem_rope": true, "rope_scaling": {"type": "linear", "factor": 2}`, true, `rope_scaling: found the type "linear"`},
		{"zamba2", `"use_shared_attention_adapter": true, "num_key_value_heads": 8`, false, "use_shared_attention_adapter: found true with 5120 channels of queries and 1280 of keys"},
		{"zamba2", `"num_mem_blocks": 0`, false, "num_mem_blocks: found 0"},
	} {
		_, err := ParseHF("config.json", []byte(`{"model_type": "`+test.family+`", `+test.keys+`}`))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", test.keys, err, test.want)
			continue
		}
		if _, unsupp := errors.AsType[*badfile.UnsupportedError](err); unsupp != test.unsupported {
			t.Errorf("%s: error of type %T", test.keys, err)
		}
	}
	// What turns nothing may be of any kind.
	if _, err := ParseHF("config.json", []byte(`{"model_type": "granitemoehybrid", "position_embedding_type": "nope",
		"rope_scaling": {"type": "linear", "factor": 2}}`)); err != nil {
		t.Error(err)
	}
}
