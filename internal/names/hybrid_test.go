package names

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
)

// parametersOf counts what a config.json asks for.
func parametersOf(t *testing.T, keys string) (params int64, tensors int) {
	t.Helper()
	c, err := config.ParseHF("config.json", []byte(keys))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tableFor(t, c) {
		if s.Optional {
			continue
		}
		n := int64(1)
		for _, d := range s.Shape {
			n *= int64(d)
		}
		params += n
		tensors++
	}
	return params, tensors
}

// hybridAt lists layers as Zamba's configurations do, joined by the end of one word and the beginning of the next.
func hybridAt(layers int, at ...int) string {
	list := make([]string, layers)
	for i := range list {
		if list[i] = "mamba"; slices.Contains(at, i) {
			list[i] = "hybrid"
		}
	}
	return strings.Join(list, `", "`)
}

// The sizes that published hybrids state, whose parameter counts are known. These leave out correction biases, which are
// buffers to PyTorch.
func TestParametersOfPublishedHybrids(t *testing.T) {
	const granite = `{"model_type": "granitemoehybrid", "vocab_size": 100352, "tie_word_embeddings": true, "mamba_d_state": 128, `
	tenth := strings.Split(strings.Repeat("mamba ", 40), " ")[:40]
	for i := 5; i < 40; i += 10 {
		tenth[i] = "attention"
	}
	forty := `"num_hidden_layers": 40, "layer_types": ["` + strings.Join(tenth, `", "`) + `"]}`
	for _, test := range []struct {
		name, keys string
		params     int64
	}{
		{"Nemotron-3-Nano-4B", `{"model_type": "nemotron_h", "hidden_size": 3136, "mamba_num_heads": 96, "mamba_head_dim": 80,
			"num_attention_heads": 40, "intermediate_size": 12544,
			"hybrid_override_pattern": "M-M-M-MM-M-M*-M-M*-M-M-M*-M-M-MM*-MMM-M-M-"}`, 3_973_556_832},
		{"Nemotron-H-8B", `{"model_type": "nemotron_h",
			"hybrid_override_pattern": "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"}`, 8_100_852_736},
		{"Nemotron-3-Nano-30B-A3B", `{"model_type": "nemotron_h", "hidden_size": 2688, "mamba_num_heads": 64, "num_key_value_heads": 2,
			"n_routed_experts": 128, "num_experts_per_tok": 6, "moe_intermediate_size": 1856, "moe_shared_expert_intermediate_size": 3712,
			"hybrid_override_pattern": "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"}`, 31_577_937_344 + 23*128},
		{"granite-4.0-h-micro", granite + `"hidden_size": 2048, "mamba_n_heads": 64, "num_key_value_heads": 8, "num_local_experts": 0,
			"shared_intermediate_size": 8192, ` + forty, 3_191_396_096},
		{"granite-4.0-h-tiny", granite + `"hidden_size": 1536, "mamba_n_heads": 48, "num_attention_heads": 12, "num_key_value_heads": 4,
			"num_local_experts": 64, "num_experts_per_tok": 6, "intermediate_size": 512, "shared_intermediate_size": 1024, ` + forty, 6_939_037_248},
		{"Falcon-H1-Tiny-90M", `{"model_type": "falcon_h1", "vocab_size": 32768, "tie_word_embeddings": true, "hidden_size": 512,
			"num_hidden_layers": 24, "mamba_d_ssm": 768, "mamba_n_heads": 24, "mamba_d_state": 64, "num_attention_heads": 8,
			"num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 768}`, 91_131_072},
		{"Falcon-H1-1.5B", `{"model_type": "falcon_h1", "vocab_size": 65536, "hidden_size": 2048, "num_hidden_layers": 24,
			"mamba_d_ssm": 3072, "mamba_n_heads": 48, "mamba_d_state": 256, "mamba_rms_norm": true, "num_attention_heads": 8,
			"num_key_value_heads": 2, "head_dim": 128, "intermediate_size": 4608}`, 1_554_859_392},
		{"Bamba-9B", `{"model_type": "bamba", "vocab_size": 128256, "attn_layer_indices": [9, 18, 27], "mamba_d_state": 128}`, 9_780_235_392},
		{"Zamba2-1.2B", `{"model_type": "zamba2", "hidden_size": 2048, "n_mamba_heads": 64, "mamba_d_state": 128, "num_hidden_layers": 38,
			"use_shared_attention_adapter": true, "use_mem_rope": true, "layers_block_type": ["` + hybridAt(38, 5, 11, 17, 23, 29, 35) + `"]}`, 1_215_064_704},
		{"Zamba2-2.7B", `{"model_type": "zamba2", "n_mamba_heads": 80, "num_mem_blocks": 2}`, 2_662_214_560},
	} {
		if params, n := parametersOf(t, test.keys); params != test.params {
			t.Errorf("%s: %d parameters in %d tensors, want %d", test.name, params, n, test.params)
		}
	}
}

// Names of files, of memory and of the bare model become canonical, and these those of save_pretrained.
func TestNamesOfHybrids(t *testing.T) {
	nemotron, granite := config.NewNemotronH(), config.NewGraniteHybrid()
	for _, test := range []struct {
		cfg                     config.Config
		stored, canonical, back string
	}{
		{nemotron, "backbone.embeddings.weight", Embedding, "backbone.embeddings.weight"},
		{nemotron, "model.layers.3.mixer.up_proj.weight", "backbone.layers.3.mixer.up_proj.weight", "backbone.layers.3.mixer.up_proj.weight"},
		{nemotron, "norm_f.weight", FinalNorm, "backbone.norm_f.weight"},
		{nemotron, "lm_head.weight", Head, Head},
		{nemotron, "mtp.layers.0.norm.weight", "mtp.layers.0.norm.weight", "mtp.layers.0.norm.weight"},
		{granite, "model.embed_tokens.weight", Embedding, "model.embed_tokens.weight"},
		{granite, "norm.weight", FinalNorm, "model.norm.weight"},
		{granite, "model.layers.31.mamba.A_log", "backbone.layers.31.mamba.A_log", "model.layers.31.mamba.A_log"},
		{
			granite, "model.layers.0.block_sparse_moe.experts.gate_up_proj", "backbone.layers.0.block_sparse_moe.input_linear.weight",
			"model.layers.0.block_sparse_moe.input_linear.weight",
		},
	} {
		if got := FromHF(test.cfg, test.stored); got != test.canonical {
			t.Errorf("%s: read as %s, want %s", test.stored, got, test.canonical)
		}
		if got := ToHF(test.cfg, test.canonical); got != test.back {
			t.Errorf("%s: written as %s, want %s", test.canonical, got, test.back)
		}
	}
}

// Tensors of several parts: the gates and projections of all experts in one, or one kind of them.
func TestWholes(t *testing.T) {
	nemotron, granite := config.NewNemotronH(), config.NewGraniteHybrid()
	for _, test := range []struct {
		list        func(config.Config) ([]Whole, error)
		cfg         config.Config
		name        string
		shape       []int
		first, last string
	}{
		{InMemory, nemotron, "backbone.layers.1.mixer.experts.down_proj", []int{8, 4096, 7688}, "mixer.experts.0.down_proj.weight", "mixer.experts.7.down_proj.weight"},
		{InHF, granite, "backbone.layers.2.shared_mlp.input_linear.weight", []int{2048, 4096}, "shared_mlp.gate_proj.weight", "shared_mlp.up_proj.weight"},
		{InHF, granite, "backbone.layers.2.block_sparse_moe.input_linear.weight", []int{8, 22016, 4096},
			"block_sparse_moe.experts.0.gate_proj.weight", "block_sparse_moe.experts.7.up_proj.weight"},
	} {
		list, err := test.list(test.cfg)
		i := slices.IndexFunc(list, func(w Whole) bool { return w.Name == test.name })
		if err != nil || i < 0 {
			t.Fatalf("%s: not there: %v", test.name, err)
		}
		w := list[i]
		before := Blocks + strconv.Itoa(w.Layer) + "."
		if !slices.Equal(w.Shape, test.shape) || w.Parts[0].Name != before+test.first || w.Parts[len(w.Parts)-1].Name != before+test.last {
			t.Errorf("%s: %v from %s to %s", w.Name, w.Shape, w.Parts[0].Name, w.Parts[len(w.Parts)-1].Name)
		}
	}
	part := "backbone.layers.0.block_sparse_moe.experts.3.up_proj.weight"
	if got := ToHF(granite, part); got != "model.layers.0.block_sparse_moe.input_linear.weight" {
		t.Errorf("%s is stored in %s", part, got)
	}
}
