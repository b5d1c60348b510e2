package config

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hostile"
	"github.com/gomamba/gomamba/internal/jsonobj"
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
	text, err := Render(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseOriginalRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"d_model": 8, "ssm_cfg": {"layer": "Mamba4"}}`:   "ssm_cfg.layer",
		`{"d_model": 8, "ssm_cfg": {"headdim": 64}}`:       "ssm_cfg.headdim",
		`{"d_model": 8, "ssm_cfg": 3}`:                     "expected an object",
		`{"d_model": 8, "d_intermediate": null}`:           "d_intermediate",
		`{"d_model": 8, "rms_norm": null}`:                 "rms_norm",
		`{"d_model": 8, "ssm_cfg": {"dt_min": 0.0}}`:       "dt_min: found 0.0, expected a finite number above 0",
		`{"d_model": 8, "ssm_cfg": {"dt_max": Infinity}}`:  "dt_max",
		`{"d_model": 8, "ssm_cfg": {"dt_init": "x"}}`:      `"random" or "constant"`,
		`{"d_model": 8, "colour": 1}`:                      "colour",
		`{"d_model": 0}`:                                   "d_model: found 0",
		`{"d_model": "8"}`:                                 "d_model",
		`{"d_model": 268435456, "ssm_cfg": {"expand": 9}}`: "expand",
		`[]`: "expected an object",
	} {
		if _, err := ParseOriginal("config.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "config.json") {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// TestEncodeOriginal takes transformers configs to the original layout: every value that it can hold comes back, what
// it cannot hold is left out if it only matters for initialisation, and is an error by key if it changes results.
func TestEncodeOriginal(t *testing.T) {
	for _, test := range []struct {
		edit func(c *MambaConfig)
		ssm  string // as written
		err  string
	}{
		{func(*MambaConfig) {}, `{}`, ""},
		{func(c *MambaConfig) { c.StateSize, c.ConvKernel, c.TimeStepRank = 8, 3, 7 }, `{"d_conv":3,"d_state":8,"dt_rank":7}`, ""},
		{func(c *MambaConfig) { c.UseBias, c.UseConvBias = true, false }, `{"bias":true,"conv_bias":false}`, ""},
		{func(c *MambaConfig) { c.TimeStepMin, c.TimeStepScale = 1e-5, 2 }, `{"dt_min":1e-05,"dt_scale":2.0}`, ""},
		// expand is stale where intermediate_size says otherwise, as in falcon-mamba-7b.
		{func(c *MambaConfig) { c.Expand = 16 }, `{}`, ""},
		{func(c *MambaConfig) { c.IntermediateSize = 3 * c.HiddenSize }, `{"expand":3}`, ""},
		// mamba_ssm could not be constructed from these.
		{func(c *MambaConfig) {
			c.TimeStepMin, c.TimeStepMax, c.TimeStepFloor, c.TimeStepInitScheme = 0, math.Inf(1), math.Inf(-1), "zeros"
		}, `{}`, ""},
		{func(c *MambaConfig) { c.Extra = []Extra{{"ssm_cfg", `{"use_fast_path":false}`}} }, `{"use_fast_path":false}`, ""},

		{func(c *MambaConfig) { c.IntermediateSize = 100 }, "", "intermediate_size: found 100 for a hidden_size of 768"},
		{func(c *MambaConfig) { c.HiddenSize, c.IntermediateSize = 1, 1<<17 }, "", "intermediate_size: found 131072"},
		{func(c *MambaConfig) { c.LayerNormEpsilon = 1e-6 }, "", "layer_norm_epsilon: found 1e-06: the original layout does not have a key for it and always means 1e-05"},
	} {
		c := NewMamba()
		test.edit(c)
		text, err := c.EncodeOriginal()
		if test.err != "" {
			var unsupp *badfile.UnsupportedError
			if !errors.As(err, &unsupp) || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		keys, err := jsonobj.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if ssm, _ := keys.Get("ssm_cfg"); len(keys) != 12 || ssm.Compact() != test.ssm {
			t.Errorf("ssm_cfg is %s, want %s, in\n%s", ssm.Compact(), test.ssm, text)
		}
		back, err := ParseOriginal("config.json", text)
		if err != nil {
			t.Errorf("%v in\n%s", err, text)
		} else if err := Agree("a", c, "b", back); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseOriginal(f *testing.F) {
	for _, seed := range hostile.Seeds("config.json") {
		f.Add(seed)
	}
	f.Add([]byte(`{"d_model": 768, "n_layer": 24, "vocab_size": 50277, "ssm_cfg": {}, "pad_vocab_size_multiple": 8}`))
	f.Add([]byte(`{"d_model": 40, "ssm_cfg": {"layer": "Mamba1", "d_state": 7, "dt_rank": "auto", "bias": true}, "tie_embeddings": false}`))
	f.Add([]byte(`{"d_model": 8, "ssm_cfg": {"dt_max": Infinity, "dt_scale": -1e300, "dt_init": "constant", "use_fast_path": false}}`))
	f.Add([]byte(`{"d_model": 8, "vocab_size": 1, "pad_vocab_size_multiple": 268435456}`))
	f.Add([]byte(mamba2Original))
	f.Add([]byte(mamba2attn))
	f.Add([]byte(`{"d_model": 8, "n_layer": 2, "attn_layer_idx": [1, 0, 1], "attn_cfg": {"causal": true, "num_heads": 1, "head_dim": 3, "mlp_dim": 1, "softmax_scale": -2}, "d_intermediate": 1, "rms_norm": false}`))
	f.Add([]byte(`{"d_model": 32, "ssm_cfg": {"layer": "Mamba2", "d_ssm": 64, "dt_limit": [-Infinity, 1e999], "A_init_range": [1, Infinity]}}`))
	f.Add([]byte(`{"d_model": 268435456, "ssm_cfg": {"layer": "Mamba2", "expand": 1, "headdim": 1, "ngroups": 65536, "d_state": 65536}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseOriginal("x", data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted and not valid: %v", err)
		}
		text, err := c.EncodeOriginal()
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

// FuzzEncodeOriginal holds that a transformers config is either refused or comes back with everything that results
// depend on.
func FuzzEncodeOriginal(f *testing.F) {
	for _, seed := range []string{
		`{"model_type":"mamba"}`, `{"model_type":"mamba","hidden_size":1,"intermediate_size":268435456}`,
		`{"model_type":"mamba","time_step_min":-Infinity,"time_step_scale":Infinity,"time_step_init_scheme":"\u0000"}`,
		`{"model_type":"mamba","vocab_size":50281,"pad_vocab_size_multiple":16,"unpadded_vocab_size":50270}`,
		`{"model_type":"mamba","vocab_size":50288,"pad_vocab_size_multiple":16,"unpadded_vocab_size":50277,"ssm_cfg":{}}`,
		`{"model_type":"mamba","pad_vocab_size_multiple":9223372036854775807,"unpadded_vocab_size":2}`,
		`{"model_type":"mamba","tie_word_embeddings":false,"use_bias":true,"residual_in_fp32":false,"fused_add_norm":false}`,
		`{"model_type":"falcon_mamba"}`, `{"model_type":"mamba2"}`,
		`{"model_type":"mamba2","hidden_size":40,"num_heads":10,"head_dim":8,"n_groups":2,"time_step_limit":[-0.0,Infinity],"chunk_size":3}`,
		`{"model_type":"mamba2","ssm_cfg":{"A_init_range":[1,16],"conv_init":NaN},"time_step_rank":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := ParseHF("x", data)
		if err != nil {
			return
		}
		text, err := parsed.EncodeOriginal()
		if err != nil {
			return
		}
		back, err := ParseOriginal("x", text)
		if err != nil {
			t.Fatalf("written and not read: %v\n%s", err, text)
		}
		if err := Agree("x", parsed, "y", back); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if parsed.Shared().ResidualInFP32 != back.Shared().ResidualInFP32 {
			t.Fatalf("residual_in_fp32 came back otherwise\n%s", text)
		}
	})
}
