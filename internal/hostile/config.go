package hostile

import (
	"fmt"
	"strings"
)

// configured is a folder whose config.json is text.
func configured(text string, f files) files { return f.with("config.json", []byte(text)) }

// changed replaces a key's value in a configuration; the value "-" drops the key.
func changed(config, key, value string) string {
	at := strings.Index(config, `"`+key+`":`)
	if at < 0 {
		return strings.Replace(config, "{", `{"`+key+`": `+value+", ", 1)
	}
	begin := at + len(key) + 3
	depth, end := 0, begin
	for ; ; end++ {
		switch c := config[end]; {
		case c == '[' || c == '{':
			depth++
		case (c == ']' || c == '}') && depth > 0:
			depth--
		case (c == ',' || c == '}') && depth == 0:
			if value == "-" && c == ',' {
				return config[:at] + config[end+1:]
			}
			return config[:begin] + " " + value + config[end:]
		}
	}
}

// change is a value for a key of a configuration, and a part of the message that must come of it.
type change struct{ key, value, want string }

// numbers are values that no count may have.
var numbers = []string{"0", "-1", "1.5", "8.0", "1e3", `"8"`, "null", "true", "[8]", "{}", "2147483648", "9223372036854775808", "1e999", "NaN",
	strings.Repeat("9", 400)}

func configEntries() []Entry {
	var list []Entry
	for _, text := range []string{"", " ", "null", "[]", "{", `{"model_type": "mamba"`, "{}", "1", `"mamba"`, "\x00", "\xff\xfe{\x00}\x00",
		strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000), `{"model_type": "mamba", "x": ` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "}",
		"{'model_type': 'mamba'}", `{"model_type": "mamba",}`, `{"model_type": "mamba"} {}`, "{\"model_type\": \"mam\nba\"}", "{\"\xff\": 1}",
		`{"model_type": "\ud800"}`, `{"model_type": "mamba", "model_type": "mamba2"}`, "<!DOCTYPE html><html></html>", "<?xml version='1.0'?><Error/>",
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234\n", "Entry not found", "# YAML\nmodel_type: mamba\n",
		"%YAML 1.2"} {
		list = append(list, configured(text, base()).bad(fmt.Sprintf("config/%.30q", text), "config.json"))
	}
	list = append(list, late("config/17 MiB", "config.json", func() files {
		return configured(`{"model_type": "mamba", "a": "`+strings.Repeat("x", 17<<20)+`"}`, base())
	}))
	for _, kind := range []string{"mamba3", "jamba", "zamba2", "llama", "Mamba", "", "gpt2", "mamba\\u0000", "../../etc/passwd"} {
		list = append(list, configured(changed(configHF, "model_type", `"`+kind+`"`), base()).bad("config/model_type "+kind, "config.json"))
	}
	list = append(list,
		configured(`{"model_type": "mamba2", "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 2, "num_heads": 4, "head_dim": 4, "n_groups": 2}`, base()).bad("config/model_type of other tensors", "found Mamba-1 blocks"))
	for _, key := range []string{"vocab_size", "hidden_size", "num_hidden_layers", "state_size", "conv_kernel"} {
		for _, n := range numbers {
			list = append(list, configured(changed(configHF, key, n), base()).bad(fmt.Sprintf("config/%s %.20s", key, n), key))
		}
	}
	for _, c := range []change{
		{"vocab_size", "15", "vocab_size"}, {"vocab_size", "268435456", "vocab_size"}, {"hidden_size", "9", "hidden_size"}, {"hidden_size", "268435456", ""},
		{"num_hidden_layers", "1", "num_hidden_layers"}, {"num_hidden_layers", "3", "num_hidden_layers"}, {"num_hidden_layers", "1000000000", "num_hidden_layers"},
		{"state_size", "5", "state_size"}, {"state_size", "65537", "state_size"}, {"conv_kernel", "3", "conv_kernel"}, {"conv_kernel", "65536", ""},
		{"expand", "0", "expand"}, {"expand", "-2", "expand"}, {"intermediate_size", "17", "intermediate_size"}, {"intermediate_size", "0", "intermediate_size"},
		{"time_step_rank", "2", "time_step_rank"}, {"time_step_rank", "0", "time_step_rank"}, {"time_step_rank", `"many"`, "time_step_rank"},
		{"layer_norm_epsilon", "-1", "layer_norm_epsilon"}, {"layer_norm_epsilon", "NaN", "layer_norm_epsilon"}, {"layer_norm_epsilon", "Infinity", "layer_norm_epsilon"},
		{"layer_norm_epsilon", `"1e-5"`, "layer_norm_epsilon"}, {"use_bias", "true", "bias"}, {"use_bias", "1", "use_bias"}, {"use_conv_bias", "false", "bias"},
		{"use_conv_bias", "null", "use_conv_bias"}, {"tie_word_embeddings", "false", "lm_head"}, {"tie_word_embeddings", `"yes"`, "tie_word_embeddings"},
		{"hidden_act", `"gelu"`, "hidden_act"}, {"hidden_act", `"__import__('os').system('touch ` + Canary + `')"`, "hidden_act"},
		{"quantization_config", `{"quant_method": "hqq"}`, "quantiz"}, {"quantization_config", `{"quant_method": "bitsandbytes"}`, "!"},
		{"quantization_config", "[4]", "quantization_config"}, {"quantization", `{"bits": 4}`, "!"},
		{"architectures", "[1]", "architectures"}, {"architectures", `"MambaForCausalLM"`, "architectures"},
		{"dtype", `"float8_e4m3fn"`, "!"}, {"dtype", "16", "!"}, {"dtype", `{"": "float16"}`, "!"}, {"time_step_min", "NaN", "time_step_min"},
		{"eos_token_id", `["x"]`, "eos_token_id"}, {"pad_token_id", "1e99", "pad_token_id"}, {"auto_map", `{"AutoModel": "evil.py"}`, "!"},
		{"attn_layer_idx", "[0]", "attn_layer_idx"}, {"rms_norm", "false", "rms_norm"}, {"d_intermediate", "64", "d_intermediate"},
	} {
		e := configured(changed(configHF, c.key, c.value), base()).bad(fmt.Sprintf("config/%s %.40s", c.key, c.value), c.want)
		if c.want == "!" { // code that transformers would ask about, and what the tensors show: nothing to us
			e.Valid, e.Want = true, ""
		}
		list = append(list, e)
	}
	list = append(list, configured(changed(configFalcon, "mixer_rms_eps", "NaN"), base()).bad("config/falcon mixer_rms_eps NaN", "mixer_rms_eps"))
	for _, c := range []change{
		{"num_heads", "3", "num_heads"}, {"num_heads", "0", "num_heads"}, {"num_heads", "-4", "num_heads"}, {"num_heads", "1000000000000", "num_heads"},
		{"head_dim", "3", "num_heads"}, {"head_dim", "0", "head_dim"}, {"head_dim", `"auto"`, "head_dim"},
		{"n_groups", "0", "n_groups"}, {"n_groups", "-1", "n_groups"}, {"n_groups", "3", "n_groups"}, {"n_groups", "1", ""}, {"n_groups", "4", ""}, {"n_groups", "65536", "n_groups"},
		{"chunk_size", "0", "chunk_size"}, {"chunk_size", "-256", "chunk_size"}, {"state_size", "8", ""}, {"expand", "3", ""},
		{"time_step_limit", "[NaN, Infinity]", "time_step_limit"}, {"time_step_limit", "[0.0, NaN]", "time_step_limit"}, {"time_step_limit", "[0.0]", "time_step_limit"},
		{"time_step_limit", "[1, 2, 3]", "time_step_limit"}, {"time_step_limit", "null", "time_step_limit"}, {"time_step_limit", `"inf"`, "time_step_limit"},
		{"time_step_limit", "[0.5, 0.1]", "time_step_limit"}, {"norm_before_gate", "true", "norm_before_gate"}, {"rmsnorm", "false", "rmsnorm"},
		{"D_has_hdim", "true", "D_has_hdim"}, {"model_type", `"mamba"`, "architectures"},
	} {
		f := configured(changed(configMamba2, c.key, c.value), base2())
		list = append(list, f.bad(fmt.Sprintf("config/mamba2 %s %s", c.key, c.value), c.want))
	}
	return list
}

func originalEntries() []Entry {
	var list []Entry
	for _, c := range []change{
		{"d_model", "0", "d_model"}, {"d_model", "-8", "d_model"}, {"d_model", "8.0", "d_model"}, {"d_model", `"8"`, "d_model"}, {"d_model", "9", ""},
		{"d_model", "9223372036854775807", "d_model"}, {"n_layer", "0", "n_layer"}, {"n_layer", "3", ""}, {"n_layer", "1000000000", "n_layer"}, {"n_layer", "null", "n_layer"},
		{"vocab_size", "0", "vocab_size"}, {"vocab_size", "64", "vocab"}, {"vocab_size", "268435457", "vocab_size"},
		{"pad_vocab_size_multiple", "0", "pad_vocab_size_multiple"}, {"pad_vocab_size_multiple", "-8", "pad_vocab_size_multiple"},
		{"pad_vocab_size_multiple", "1000000", ""}, {"ssm_cfg", "[]", "ssm_cfg"}, {"ssm_cfg", "null", ""}, {"ssm_cfg", `{"d_state": 0}`, "d_state"},
		{"ssm_cfg", `{"layer": "Mamba4"}`, "layer"}, {"ssm_cfg", `{"layer": "Mamba2"}`, ""}, {"ssm_cfg", `{"d_state": 4, "colour": 1}`, "colour"},
		{"ssm_cfg", `{"expand": 65537}`, "expand"}, {"ssm_cfg", `{"dt_rank": -1}`, "dt_rank"}, {"rms_norm", "false", "norm.bias"},
		{"attn_layer_idx", "[1]", "attn_cfg.causal"}, {"attn_layer_idx", "[2]", "attn_layer_idx"}, {"attn_layer_idx", "[1e9]", "attn_layer_idx"},
		{"attn_layer_idx", `[1], "attn_cfg": {"causal": true, "num_heads": 2}`, "mixer.in_proj"},
		{"attn_layer_idx", `[1], "attn_cfg": {"causal": true, "num_heads": 65536, "head_dim": 65536}`, "num_heads"},
		{"attn_layer_idx", `[1], "attn_cfg": {"causal": true, "num_heads": 2, "d_conv": 65536, "mlp_dim": 268435456}`, "attn_cfg"},
		{"d_intermediate", "64", "mlp.fc1"}, {"d_intermediate", "268435456", ""}, {"d_intermediate", "-1", "d_intermediate"}, {"colour", "1", "colour"},
	} {
		f := original().with("config.json", []byte(changed(configOriginal, c.key, c.value)))
		list = append(list, f.bad(fmt.Sprintf("original/%s %s", c.key, c.value), c.want))
	}
	return list
}

const configMistral = `{"dim": 8, "n_layers": 2, "vocab_size": 16, "n_groups": 2, "rms_norm": true, "residual_in_fp32": true,
 "fused_add_norm": true, "pad_vocab_size_multiple": 1, "tie_embeddings": false, "model_type": "mamba"}`

// mistralEntries all fail: the layout fixes a head of 64 channels, for which the model is too narrow. What comes before
// that must be found first.
func mistralEntries() []Entry {
	weights := packed("F32", Tensors("mamba2"))
	var list []Entry
	for _, c := range []change{
		{"dim", "0", "dim"}, {"dim", "-1", "dim"}, {"dim", "null", "dim"}, {"n_layers", "0", "n_layers"}, {"n_layers", "1000000000", "n_layers"},
		{"vocab_size", "0", "vocab_size"}, {"n_groups", "0", "n_groups"}, {"n_groups", "-", "n_groups"}, {"n_groups", `"8"`, "n_groups"},
		{"model_type", `"transformer"`, "model_type"}, {"rms_norm", "false", "rms_norm"}, {"tie_embeddings", "1", "tie_embeddings"},
		{"pad_vocab_size_multiple", "0", "pad_vocab_size_multiple"}, {"dim", "8", ""},
	} {
		f := files{"params.json": []byte(changed(configMistral, c.key, c.value)), "consolidated.safetensors": weights}
		list = append(list, f.bad(fmt.Sprintf("mistral/%s %s", c.key, c.value), c.want))
	}
	for name, text := range map[string]string{"empty": "", "list": "[]", "html": "<html>", "twice": `{"dim": 8, "dim": 8}`} {
		f := files{"params.json": []byte(text), "consolidated.safetensors": weights}
		list = append(list, f.bad("mistral/"+name, "params.json"))
	}
	return list
}
