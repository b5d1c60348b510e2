package config

import (
	"strings"
	"testing"
)

// TestParseOriginal reads what the state-spaces repositories hold.
func TestParseOriginal(t *testing.T) {
	// state-spaces/mamba-130m.
	const text = `{"d_model": 768, "n_layer": 24, "vocab_size": 50277, "ssm_cfg": {}, "rms_norm": true,
		"residual_in_fp32": true, "fused_add_norm": true, "pad_vocab_size_multiple": 8}`
	if !IsOriginal([]byte(text)) {
		t.Error("not recognised")
	}
	parsed, err := ParseOriginal("config.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c := parsed.(*MambaConfig)
	if c.HiddenSize != 768 || c.NumHiddenLayers != 24 || c.VocabSize != 50280 || c.TimeStepRank != 48 || c.IntermediateSize != 1536 || !c.TieWordEmbeddings {
		t.Errorf("read as %+v", c)
	}
	back, err := c.EncodeOriginal()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(back), `"vocab_size": 50277`) || !strings.Contains(string(back), `"pad_vocab_size_multiple": 8`) {
		t.Errorf("the unpadded vocabulary is lost:\n%s", back)
	}

	// Every argument of the mixer.
	const args = `{"d_model": 40, "n_layer": 2, "vocab_size": 10, "pad_vocab_size_multiple": 1, "tie_embeddings": false, "ssm_cfg": {
		"layer": "Mamba1", "d_state": 7, "d_conv": 3, "expand": 3, "dt_rank": 5, "dt_min": 0.01, "dt_max": 0.2, "dt_init": "constant",
		"dt_scale": 2.0, "dt_init_floor": 0.001, "conv_bias": false, "bias": true, "use_fast_path": true}}`
	if parsed, err = ParseOriginal("config.json", []byte(args)); err != nil {
		t.Fatal(err)
	}
	c = parsed.(*MambaConfig)
	if c.StateSize != 7 || c.ConvKernel != 3 || c.IntermediateSize != 120 || c.TimeStepRank != 5 || c.UseConvBias || !c.UseBias ||
		c.TieWordEmbeddings || c.TimeStepInitScheme != "constant" || c.TimeStepFloor != 0.001 || c.VocabSize != 10 {
		t.Errorf("read as %+v", c)
	}
	again, err := c.EncodeOriginal()
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = ParseOriginal("config.json", again); err != nil {
		t.Fatal(err)
	}
	if first, second := encoded(t, c), encoded(t, parsed); first != second {
		t.Errorf("written and read again:\n%s\nwas\n%s", second, first)
	}
}

func encoded(t *testing.T, c Config) string {
	t.Helper()
	text, err := c.EncodeHF()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseOriginalRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"d_model": 8, "ssm_cfg": {"layer": "Mamba2"}}`:   "ssm_cfg.layer",
		`{"d_model": 8, "ssm_cfg": {"layer": "Mamba3"}}`:   "ssm_cfg.layer",
		`{"d_model": 8, "ssm_cfg": {"headdim": 64}}`:       "ssm_cfg.headdim",
		`{"d_model": 8, "ssm_cfg": 3}`:                     "expected an object",
		`{"d_model": 8, "rms_norm": false}`:                "rms_norm",
		`{"d_model": 8, "d_intermediate": 32}`:             "d_intermediate",
		`{"d_model": 8, "attn_layer_idx": [9, 18]}`:        "attn_layer_idx",
		`{"d_model": 8, "colour": 1}`:                      "colour",
		`{"d_model": 0}`:                                   "d_model: found 0",
		`{"d_model": "8"}`:                                 "d_model",
		`{"d_model": 268435456, "ssm_cfg": {"expand": 9}}`: "expand",
		`{"d_model": 8, "d_model": 9}`:                     "d_model",
		`[]`:                                               "expected an object",
	} {
		if _, err := ParseOriginal("config.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "config.json") {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func FuzzParseOriginal(f *testing.F) {
	f.Add([]byte(`{"d_model": 768, "n_layer": 24, "vocab_size": 50277, "ssm_cfg": {}, "pad_vocab_size_multiple": 8}`))
	f.Add([]byte(`{"d_model": 40, "ssm_cfg": {"layer": "Mamba1", "d_state": 7, "dt_rank": "auto", "bias": true}, "tie_embeddings": false}`))
	f.Add([]byte(`{"d_model": 8, "vocab_size": 1, "pad_vocab_size_multiple": 268435456}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseOriginal("x", data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted and not valid: %v", err)
		}
		text, err := c.(*MambaConfig).EncodeOriginal()
		if err != nil {
			t.Fatalf("accepted and not written: %v", err)
		}
		again, err := ParseOriginal("x", text)
		if err != nil {
			t.Fatalf("written and not read: %v\n%s", err, text)
		}
		if a, b := encoded(t, c), encoded(t, again); a != b {
			t.Fatalf("%s\ncame back as\n%s", a, b)
		}
	})
}
