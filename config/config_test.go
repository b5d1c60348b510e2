package config

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
)

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, text string) *MambaConfig {
	t.Helper()
	c, err := ParseHF("config.json", []byte(text))
	if err != nil {
		t.Fatalf("ParseHF(%s): %v", text, err)
	}
	return c.(*MambaConfig)
}

// reencode checks that writing and reading c changes nothing, and returns the text.
func reencode(t testing.TB, c Config) string {
	t.Helper()
	text, err := c.EncodeHF()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseHF("config.json", text)
	if err != nil {
		t.Fatalf("reading back: %v\n%s", err, text)
	}
	want := c.Clone()
	want.Shared().Quantization = "" // is not written
	if !reflect.DeepEqual(want, again) {
		t.Fatalf("read back\n%+v\nwant\n%+v\nfrom\n%s", again, c, text)
	}
	return string(text)
}

// The golden file is MambaConfig(architectures=[...]).to_json_string() of transformers 5.24, less its version.
func TestDefaultsAreTransformers(t *testing.T) {
	want := string(readTestdata(t, "defaults.json"))
	if got := reencode(t, NewMamba()); got != want {
		t.Errorf("NewMamba encodes as\n%s\nwant\n%s", got, want)
	}
	if got := parse(t, `{"model_type": "mamba"}`); !reflect.DeepEqual(got, NewMamba()) {
		t.Errorf("an empty config is\n%+v\nwant\n%+v", got, NewMamba())
	}
}

// state-spaces/mamba-*-hf say d_inner 160 for every size, and repeat the keys of the original layout.
func TestPublishedStaleKeys(t *testing.T) {
	data := readTestdata(t, "mamba-130m-hf.json")
	c := parse(t, string(data))
	if c.DInner() != 1536 || c.NumHiddenLayers != 24 || c.TimeStepRank != 48 || c.DType != "float32" || !c.TieWordEmbeddings {
		t.Errorf("got %+v", c)
	}
	text := reencode(t, c)
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, ",\n"); !strings.Contains(text, line) {
			t.Errorf("EncodeHF lost %q", line)
		}
	}
}

func TestDerivedSizes(t *testing.T) {
	for _, test := range []struct {
		keys        string
		inner, rank int
	}{
		{`"hidden_size": 33`, 66, 3},
		{`"hidden_size": 32, "time_step_rank": "auto"`, 64, 2},
		{`"hidden_size": 1, "expand": 3`, 3, 1},
		{`"hidden_size": 64, "intermediate_size": 100, "time_step_rank": 7`, 100, 7},
		{`"hidden_size": 4096, "expand": 16, "intermediate_size": 8192`, 8192, 256}, // as in falcon-mamba-7b
	} {
		c := parse(t, `{"model_type": "mamba", `+test.keys+`}`)
		if c.DInner() != test.inner || c.TimeStepRank != test.rank {
			t.Errorf("%s: inner %d, rank %d; want %d, %d", test.keys, c.DInner(), c.TimeStepRank, test.inner, test.rank)
		}
		reencode(t, c)
	}
}

func TestSpellings(t *testing.T) {
	for _, test := range []struct {
		name, text string
		ok         func(c *MambaConfig) bool
	}{
		{"architectures instead of model_type", `{"architectures": ["MambaForCausalLM"], "model_type": null}`,
			func(c *MambaConfig) bool { return c.HiddenSize == 768 }},
		{"byte order mark", "\ufeff{\"model_type\": \"mamba\"}", func(c *MambaConfig) bool { return c.VocabSize == 50280 }},
		{"dtype wins over torch_dtype", `{"model_type": "mamba", "dtype": "float16", "torch_dtype": "float32"}`,
			func(c *MambaConfig) bool { return c.DType == "float16" }},
		{"torch. prefix, null dtype", `{"model_type": "mamba", "dtype": null, "torch_dtype": "torch.bfloat16"}`,
			func(c *MambaConfig) bool { return c.DType == "bfloat16" }},
		{"alias of a dtype", `{"model_type": "mamba", "dtype": "half"}`, func(c *MambaConfig) bool { return c.DType == "float16" }},
		{"bare and tagged infinities", `{"model_type": "mamba", "time_step_max": Infinity, "time_step_min": {"__float__": "-Infinity"}}`,
			func(c *MambaConfig) bool { return math.IsInf(c.TimeStepMax, 1) && math.IsInf(c.TimeStepMin, -1) }},
		{"an integer for a float", `{"model_type": "mamba", "time_step_scale": 2}`,
			func(c *MambaConfig) bool { return c.TimeStepScale == 2 }},
		{"token ids", `{"model_type": "mamba", "pad_token_id": null, "bos_token_id": -1, "eos_token_id": [0, 5]}`,
			func(c *MambaConfig) bool {
				return c.PadTokenID == nil && *c.BosTokenID == -1 && c.EosTokenID.Contains(5) && !c.EosTokenID.Contains(1)
			}},
		{"empty list and null of token ids", `{"model_type": "mamba", "bos_token_id": null, "eos_token_id": []}`,
			func(c *MambaConfig) bool { return c.EosTokenID.List && len(c.EosTokenID.IDs) == 0 }},
		{"null if the base class accepts it", `{"model_type": "mamba", "output_hidden_states": null, "quantization_config": null}`,
			func(c *MambaConfig) bool { return !c.OutputHiddenStates }},
		{"quantized weights", `{"model_type": "mamba", "quantization": {"bits": 4}, "quantization_config": {"quant_method": "gptq"}}`,
			func(c *MambaConfig) bool {
				return c.Quantization == `{"quant_method":"gptq"}` && c.Extra == nil
			}},
		{"weights quantized by MLX", `{"model_type": "mamba", "quantization": {"bits": 4}}`,
			func(c *MambaConfig) bool { return c.Quantization == `{"bits":4}` }},
		{"unknown keys", `{"z": [1,{"é":NaN}], "model_type": "mamba", "a": 1e999, "time_step_limit": [0.0, Infinity], "Hidden_Size": 5}`,
			func(c *MambaConfig) bool {
				want := []Extra{{"Hidden_Size", "5"}, {"a", "1e999"}, {"time_step_limit", "[0.0,Infinity]"}, {"z", `[1,{"é":NaN}]`}}
				return c.HiddenSize == 768 && reflect.DeepEqual(c.Extra, want)
			}},
		{"alias of silu", `{"model_type": "mamba", "hidden_act": "swish"}`, func(c *MambaConfig) bool { return c.HiddenAct == "swish" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, test.text)
			if !test.ok(c) {
				t.Errorf("got %+v", c)
			}
			reencode(t, c)
		})
	}
}

// What transformers takes, or what only repeats what the tensors show, is used and noted.
func TestNoted(t *testing.T) {
	for _, test := range []struct{ keys, key, detail, dtype string }{
		{`"hidden_size": 64, "hidden_size": 768`, "hidden_size", "given twice; the last one counts", ""},
		{`"dtype": {"": "float32", "mixer": "bfloat16"}`, "dtype", "found an object, expected float32, float16, bfloat16 or float64; ignored", ""},
		{`"torch_dtype": "auto"`, "torch_dtype", `found the string "auto"`, ""},
		{`"torch_dtype": "float8_e4m3fn"`, "torch_dtype", `found the string "float8_e4m3fn"`, ""},
		{`"torch_dtype": "float16", "dtype": 5`, "dtype", "found 5", "float16"},
	} {
		c := parse(t, `{"model_type": "mamba", `+test.keys+`}`)
		notes := c.Notes()
		if len(notes) != 1 || notes[0].Key != test.key || !strings.HasPrefix(notes[0].Detail, test.detail) || notes[0].File != "config.json" {
			t.Errorf("%s: notes %+v, want %s: %s", test.keys, notes, test.key, test.detail)
		}
		if c.DType != test.dtype || c.HiddenSize != 768 {
			t.Errorf("%s: read as dtype %q, hidden_size %d", test.keys, c.DType, c.HiddenSize)
		}
	}
}

func TestRefused(t *testing.T) {
	const mamba = `{"model_type": "mamba", `
	for _, test := range []struct {
		text        string
		unsupported bool
		want        string
	}{
		{``, false, "empty file"},
		{`[]`, false, "line 1, column 1: found '[', expected an object"},
		{"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", false, "git-lfs pointer"},
		{`<!DOCTYPE html>`, false, "HTML"},
		{mamba + `"hidden_size": 32.0}`, false, "hidden_size: found 32.0, expected an integer from 1 to 268435456"},
		{mamba + `"hidden_size": "32"}`, false, `hidden_size: found the string "32"`},
		{mamba + `"hidden_size": true}`, false, "hidden_size: found true"},
		{mamba + `"hidden_size": null}`, false, "hidden_size: found null"},
		{mamba + `"vocab_size": 99999999999999999999}`, false, "vocab_size: found 99999999999999999999, expected"},
		{mamba + `"num_hidden_layers": 0}`, false, "num_hidden_layers: found 0"},
		{mamba + `"use_bias": 1}`, false, "use_bias: found 1, expected true or false"},
		{mamba + `"layer_norm_epsilon": NaN}`, false, "layer_norm_epsilon: found NaN, expected a number from 0 to 3.4e38, the largest float32"},
		{mamba + `"layer_norm_epsilon": 1e300}`, false, "layer_norm_epsilon: found 1e+300, expected a number from 0 to 3.4e38, the largest float32"},
		{`{"model_type": "zamba2", "num_hidden_layers": 12}`, false, "num_hidden_layers: found 12 without a list layers_block_type, for which transformers has one of 54 layers; add the list"},
		{`{"model_type": "zamba2", "num_hidden_layers": 3, "layer_types": ["mamba"]}`, false, "layer_types: found 1 layer, expected num_hidden_layers 3"},
		{mamba + `"layer_norm_epsilon": -1e-5}`, false, "layer_norm_epsilon: found -1e-05"},
		{mamba + `"time_step_max": {"__float__": "NaN"}}`, false, "time_step_max: found NaN"},
		{mamba + `"time_step_rank": "48"}`, false, `time_step_rank: found the string "48"`},
		{mamba + `"time_step_rank": -1}`, false, `time_step_rank: found -1`},
		{mamba + `"intermediate_size": null}`, false, "intermediate_size: found null"},
		{mamba + `"hidden_size": 200000000, "expand": 2}`, false, "expand: found 2, which times hidden_size"},
		{mamba + `"hidden_size": 200000000, "expand": 1, "num_hidden_layers": 4096, "vocab_size": 200000000}`, false, "hidden_size: found sizes"},
		{mamba + `"pad_token_id": [1]}`, false, "pad_token_id: found an array"},
		{mamba + `"eos_token_id": [1.5]}`, false, "eos_token_id: found an array"},
		{mamba + `"eos_token_id": 3000000000}`, false, `eos_token_id: found "3000000000", expected a 32-bit integer`},
		{mamba + `"architectures": [1]}`, false, "architectures: found an array, expected a list of 1 to 1024 class names"},
		{mamba + `"architectures": ["FalconMambaForCausalLM"]}`, false, `architectures: found "FalconMambaForCausalLM", which contradicts`},
		{mamba + `"hidden_act": "gelu"}`, true, `hidden_act: found "gelu", expected "silu"`},
		{mamba + `"rms_norm": false}`, true, "rms_norm: found false"},
		{mamba + `"d_intermediate": 4096}`, true, "d_intermediate: found 4096"},
		{mamba + `"attn_layer_idx": [9, 18]}`, true, `attn_layer_idx: found "[9,18]"`},
		{mamba + `"per_layer_config": {"0": {}}}`, true, "per_layer_config"},
		{mamba + `"dim": 4096, "n_layers": 64, "n_groups": 8}`, true, "mistral's parameters of a Mamba-2 model"},
		{mamba + `"d_model": 768, "n_layer": 24}`, true, "original state-spaces layout"},
		{`{"dim": 4096, "n_layers": 64, "n_groups": 8}`, true, "mistral's parameters"},
		{`{"d_model": 768, "n_layer": 24, "ssm_cfg": {}}`, true, "original state-spaces layout"},
		{`{"model_type": "plamo2"}`, true, `model_type: "plamo2" is a model of Mamba and attention in a window, as the code of its repository defines it; only models`},
		{`{"architectures": ["LlamaForCausalLM"]}`, true, `architectures: "LlamaForCausalLM" is a config of another architecture; only models`},
		{`{"model_type": "nemotron_h_puzzle", "hidden_size": 8}`, true, `"nemotron_h_puzzle" is a Nemotron-H in which every block has sizes of its own`},
		{`{"architectures": ["NemotronH_Nano_VL_V2"]}`, true, `"NemotronH_Nano_VL_V2" is a Nemotron-H that reads pictures`},
		{`{"architectures": ["MambaVisionModelForImageClassification"]}`, true, `"MambaVisionModelForImageClassification" is a Mamba that reads pictures`},
		{`{"model_type": 1}`, false, "model_type: found 1"},
		{`{"hidden_size": 64}`, false, "model_type: missing"},
	} {
		c, err := ParseHF("dir/config.json", []byte(test.text))
		if err == nil {
			t.Errorf("%s: accepted as %+v", test.text, c)
			continue
		}
		var format *badfile.FormatError
		var unsupp *badfile.UnsupportedError
		if errors.As(err, &unsupp) != test.unsupported || errors.As(err, &format) == test.unsupported {
			t.Errorf("%s: error of type %T", test.text, err)
		}
		if got := err.Error(); !strings.HasPrefix(got, "dir/config.json: ") || !strings.Contains(got, test.want) ||
			strings.ContainsAny(got, "\n\x00") || len(got) > 400 {
			t.Errorf("%s: error %q, want %q", test.text, got, test.want)
		}
	}
}

func TestValidateChangedConfig(t *testing.T) {
	for _, test := range []struct {
		change func(c *MambaConfig)
		want   string
	}{
		{func(c *MambaConfig) { c.IntermediateSize = 0 }, "intermediate_size: found 0, expected an integer from 1"},
		{func(c *MambaConfig) { c.DType = "int8" }, `torch_dtype: found "int8"`},
		{func(c *MambaConfig) { c.Architectures = nil }, "architectures: found 0 names"},
		{func(c *MambaConfig) { c.EosTokenID = TokenIDs{IDs: []int{1, 2}} }, `eos_token_id: found "1,2"`},
		{func(c *MambaConfig) { c.Extra = []Extra{{"hidden_size", "1"}} }, "hidden_size: repeated"},
		{func(c *MambaConfig) { c.Extra = []Extra{{"x", "{"}} }, "x: line 1, column 2"},
	} {
		c := NewMamba()
		test.change(c)
		if text, err := c.EncodeHF(); err == nil || !strings.Contains(err.Error(), test.want) || text != nil {
			t.Errorf("EncodeHF = %q, %v; want an error with %q", text, err, test.want)
		}
	}
}

func TestLoadHF(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	if _, err := LoadHF(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, readTestdata(t, "mamba-130m-hf.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, path} {
		if c, err := LoadHF(p); err != nil || c.Shared().HiddenSize != 768 || c.Family() != Mamba {
			t.Errorf("LoadHF(%s) = %+v, %v", p, c, err)
		}
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte(" "), MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	var format *badfile.FormatError
	if _, err := LoadHF(path); !errors.As(err, &format) || format.File != path {
		t.Errorf("oversized file: %v", err)
	}
}

// The expected texts are those of Python's repr.
func TestFormatFloat(t *testing.T) {
	for f, want := range map[float64]string{
		1e-5: "1e-05", 1e-4: "0.0001", 0.1: "0.1", 1: "1.0", 0: "0.0", 1e15: "1000000000000000.0", 1e16: "1e+16",
		1.5e22: "1.5e+22", 5e-324: "5e-324", 2.0 / 3: "0.6666666666666666", 123456.75: "123456.75", -3e-5: "-3e-05",
	} {
		if got := formatFloat(f); got != want {
			t.Errorf("formatFloat(%g) = %s, want %s", f, got, want)
		}
	}
}
