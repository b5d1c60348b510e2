package config

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hostile"
)

func FuzzParseHF(f *testing.F) {
	for _, seed := range hostile.Seeds("config.json") {
		f.Add(seed)
	}
	f.Add(readTestdata(f, "mamba-130m-hf.json"))
	f.Add(readTestdata(f, "defaults.json"))
	for _, seed := range []string{
		``, `{`, `{}`, `{"model_type":"mamba"}`, "\ufeff{\"model_type\":\"mamba\"}",
		`{"model_type":"mamba","hidden_size":33,"time_step_rank":"auto","expand":3}`,
		`{"model_type":"mamba","hidden_size":268435456,"expand":1,"vocab_size":268435456}`,
		`{"model_type":"mamba","eos_token_id":[0,-1],"pad_token_id":null,"bos_token_id":null}`,
		`{"model_type":"mamba","eos_token_id":[]}`,
		`{"model_type":"mamba","time_step_max":Infinity,"time_step_min":{"__float__":"-Infinity"},"x":NaN}`,
		`{"model_type":"mamba","layer_norm_epsilon":1e-400,"time_step_scale":1e400,"x":-0,"y":-0.0}`,
		`{"model_type":"mamba","a":{"b":[[],{},[{"c":"\ud83d\ude00\u0000"}]]},"\u0061b":"\/"}`,
		`{"model_type":"mamba","a":1,"a":2}`,
		`{"architectures":["MambaForCausalLM","\u00e9"],"dtype":"half","torch_dtype":"torch.float32"}`,
		`{"model_type":"mamba","rms_norm":true,"d_intermediate":0,"attn_layer_idx":[],"quantization_config":null}`,
		`{"model_type":"mamba2","time_step_limit":[0.0,Infinity]}`,
		`{"model_type":"mamba2","hidden_size":40,"num_heads":10,"head_dim":8,"n_groups":5,"time_step_limit":[1e-3,{"__float__":"Infinity"}]}`,
		`{"model_type":"mamba2","num_heads":8192,"head_dim":1,"state_size":65536,"n_groups":8192,"norm_before_gate":null}`,
		`{"model_type":"granitemoehybrid","num_hidden_layers":2,"layer_types":["mamba","attention"],"position_embedding_type":"rope"}`,
		`{"model_type":"zamba","num_hidden_layers":7,"attn_layer_period":2,"attn_layer_offset":1,"n_mamba_heads":4}`,
		`{"model_type":"zamba2","num_hidden_layers":3,"layers_block_type":["mamba","hybrid","hybrid"],"num_mem_blocks":2,"tie_word_embeddings":false}`,
		`{"model_type":"granitemoehybrid","rope_parameters":{"rope_type":"yarn","x":[1]},"rope_theta":1e4,"head_dim":3,"mamba_d_head":64}`,
		`{"model_type":"falcon_h1","mamba_d_ssm":null,"mamba_n_heads":64,"mamba_d_head":"auto","ssm_multipliers":[1,2,-3,1e-3,5],"mlp_multipliers":null}`,
		`{"model_type":"bamba","attn_layer_indices":[-1,0,99],"rope_parameters":{"rope_type":"default","partial_rotary_factor":0.25}}`,
		`{"model_type":"falcon_mamba","mixer_rms_eps":0,"use_falcon_mambapy":true}`, `{"model_type":"mamba","use_bcdt_rms":true}`,
		`{"d_model":768,"n_layer":24,"ssm_cfg":{}}`, `{"dim":4096,"n_layers":64,"n_groups":8}`,
		"{\"model_type\":\"mamba\",\"\xff\":1}", `{"model_type":"mamba","x":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseHF("config.json", data)
		if err != nil {
			oneLine(t, err)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted but invalid: %v", err)
		}
		s := c.Shared()
		if c.DInner() < 1 || c.DInner() > maxWidth || s.HiddenSize < 1 || s.NumHiddenLayers < 1 || s.NumHiddenLayers > maxLayers {
			t.Fatalf("accepted out of bounds: %+v", c)
		}
		reencode(t, c)
	})
}

// oneLine checks what every message must be.
func oneLine(t *testing.T, err error) {
	t.Helper()
	_, format := errors.AsType[*badfile.FormatError](err)
	_, unsupported := errors.AsType[*badfile.UnsupportedError](err)
	if text := err.Error(); !format && !unsupported || len(text) > 1500 || strings.ContainsFunc(text, unicode.IsControl) {
		t.Fatalf("%T: %q", err, text)
	}
}
