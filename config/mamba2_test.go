package config

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
)

// mamba2Original states every argument of mamba_ssm's Mamba2 that a pure model may have.
const mamba2Original = `{"d_model": 48, "d_intermediate": 0, "n_layer": 3, "vocab_size": 50277, "ssm_cfg": {"layer": "Mamba2", "d_state": 12,
	"d_conv": 3, "expand": 3, "headdim": 12, "ngroups": 4, "d_ssm": null, "chunk_size": 32, "dt_limit": [0.001, Infinity], "dt_min": 0.01,
	"dt_max": 0.5, "dt_init_floor": 1e-05, "conv_bias": false, "bias": true, "rmsnorm": true, "norm_before_gate": false,
	"D_has_hdim": false, "use_mem_eff_path": true, "A_init_range": [1, 16]}, "attn_layer_idx": [], "attn_cfg": {}, "rms_norm": true,
	"residual_in_fp32": true, "fused_add_norm": true, "pad_vocab_size_multiple": 16, "tie_embeddings": false}`

func TestParseMamba2Original(t *testing.T) {
	parsed, err := ParseOriginal("config.json", []byte(mamba2Original))
	if err != nil {
		t.Fatal(err)
	}
	c := parsed.(*Mamba2Config)
	if c.StateSize != 12 || c.ConvKernel != 3 || c.Expand != 3 || c.HeadDim != 12 || c.NumHeads != 12 || c.NGroups != 4 || c.ChunkSize != 32 ||
		c.TimeStepLimit != [2]float64{0.001, math.Inf(1)} || c.UseConvBias || !c.UseBias || c.TieWordEmbeddings || c.VocabSize != 50288 ||
		c.TimeStepMin != 0.01 || c.TimeStepMax != 0.5 || c.TimeStepFloor != 1e-5 {
		t.Errorf("read as %+v", c)
	}
	text, err := c.EncodeOriginal()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"vocab_size": 50277`, `"layer": "Mamba2"`, `"headdim": 12`, `"ngroups": 4`, `"use_mem_eff_path": true`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is lost in\n%s", want, text)
		}
	}
	again, err := ParseOriginal("config.json", text)
	if err != nil {
		t.Fatal(err)
	}
	if first, second := encoded(t, c), encoded(t, again); first != second {
		t.Errorf("written and read again:\n%s\nwas\n%s", second, first)
	}

	// state-spaces/mamba2-130m: what is not stated is mamba_ssm's default, not transformers'.
	parsed, err = ParseOriginal("config.json", []byte(`{"d_model": 768, "n_layer": 24, "vocab_size": 50277, "ssm_cfg": {"layer": "Mamba2"},
		"attn_layer_idx": [], "attn_cfg": {}, "rms_norm": true, "residual_in_fp32": true, "fused_add_norm": true,
		"pad_vocab_size_multiple": 16, "tie_embeddings": true, "d_intermediate": 0}`))
	if err != nil {
		t.Fatal(err)
	}
	if c := parsed.(*Mamba2Config); c.NumHeads != 24 || c.HeadDim != 64 || c.NGroups != 1 || c.StateSize != 128 || !c.TieWordEmbeddings ||
		c.VocabSize != 50288 || c.LimitsTimeStep() || c.EosTokenID.IDs[0] != 0 {
		t.Errorf("mamba2-130m read as %+v", c)
	}
}

// TestNotPureMamba2 names the key that makes a model one that neither transformers nor llama.cpp has.
func TestNotPureMamba2(t *testing.T) {
	original := func(ssm, keys string) string {
		return `{"d_model": 32, "n_layer": 2, "ssm_cfg": {"layer": "Mamba2", "headdim": 16` + ssm + `}` + keys + `}`
	}
	const hf = `{"model_type": "mamba2", `
	parse := map[bool]func(string, []byte) (Config, error){false: ParseOriginal, true: ParseHF}
	for text, key := range map[string]string{
		original(`, "norm_before_gate": true`, ``):       "ssm_cfg.norm_before_gate: found true: the gated norm before the gate",
		original(`, "rmsnorm": false`, ``):               "ssm_cfg.rmsnorm: found false",
		original(`, "D_has_hdim": true`, ``):             "ssm_cfg.D_has_hdim: found true",
		original(`, "d_ssm": 32`, ``):                    "ssm_cfg.d_ssm: found 32",
		original(`, "dt_rank": 3`, ``):                   "ssm_cfg.dt_rank: unknown key",
		original(``, `, "rms_norm": false`):              "rms_norm: found false",
		original(``, `, "d_intermediate": 64`):           "d_intermediate: found 64",
		original(``, `, "attn_layer_idx": [1]`):          "attn_layer_idx: found",
		`{"d_model": 8, "ssm_cfg": {"layer": "Mamba3"}}`: `ssm_cfg.layer: found the string "Mamba3"`,

		hf + `"norm_before_gate": true}`:                                 "norm_before_gate: found true",
		hf + `"rmsnorm": false}`:                                         "rmsnorm: found false",
		hf + `"D_has_hdim": true}`:                                       "D_has_hdim: found true",
		hf + `"d_ssm": 4096}`:                                            "d_ssm: found 4096",
		hf + `"rms_norm": false}`:                                        "rms_norm: found false",
		hf + `"attn_layer_idx": [3]}`:                                    "attn_layer_idx: found",
		`{"model_type": "hymba"}`:                                        `model_type: "hymba" is a model of Mamba beside attention`,
		original(``, `, "quantization_config": {"quant_method": "awq"}`): `quantization_config: already quantized with "awq"`,
		original(``, `, "quantization": {}`):                             "quantization: already quantized with MLX",
	} {
		_, err := parse[strings.Contains(text, "model_type")]("config.json", []byte(text))
		var unsupported *badfile.UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v (%T), want an UnsupportedError with %q", text, err, err, key)
		}
	}
	// The same keys with the values of every pure model are not reported.
	text := hf + `"norm_before_gate": false, "rmsnorm": true, "D_has_hdim": false, "d_ssm": null, "rms_norm": true, "attn_layer_idx": []}`
	if _, err := ParseHF("config.json", []byte(text)); err != nil {
		t.Errorf("%s: %v", text, err)
	}
}

// TestWrongMamba2 is what is wrong in itself.
func TestWrongMamba2(t *testing.T) {
	for text, want := range map[string]string{
		`"num_heads": 64`:               "num_heads: found 64, which times head_dim 64 makes 4096 channels; expected expand*hidden_size = 8192",
		`"n_groups": 3`:                 "n_groups: found 3, which does not divide num_heads 128",
		`"n_groups": 0`:                 "n_groups: found 0",
		`"chunk_size": 0`:               "chunk_size: found 0",
		`"time_step_limit": [0.5, 0.1]`: "time_step_limit: found",
		`"time_step_limit": [NaN, 1]`:   "time_step_limit: found",
		`"time_step_limit": [0.0]`:      "time_step_limit: found an array",
		`"time_step_limit": 5`:          "time_step_limit: found 5",
		`"head_dim": "64"`:              `head_dim: found the string "64"`,
	} {
		_, err := ParseHF("config.json", []byte(`{"model_type": "mamba2", `+text+`}`))
		var format *badfile.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v (%T), want %q", text, err, err, want)
		}
	}
}

// TestFalconByItsFlag: files of MLX and early ones call the family "mamba" and set a flag.
func TestFalconByItsFlag(t *testing.T) {
	c, err := ParseHF("config.json", []byte(`{"model_type": "mamba", "architectures": ["MambaForCausalLM"], "use_bcdt_rms": true, "mixer_rms_eps": 1e-5}`))
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := c.(*FalconMambaConfig); !ok || f.MixerRMSEps != 1e-5 || f.Architectures[0] != "FalconMambaForCausalLM" {
		t.Errorf("read as %+v", c)
	}
	if c, err = ParseHF("config.json", []byte(`{"model_type": "mamba", "use_bcdt_rms": false}`)); err != nil || c.Family() != Mamba {
		t.Errorf("with the flag off: %v, %v", c, err)
	}
	if _, err := ParseHF("config.json", []byte(`{"model_type": "falcon_mamba", "use_bcdt_rms": false}`)); err == nil {
		t.Error("a contradiction is accepted")
	}
}
