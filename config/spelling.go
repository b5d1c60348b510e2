package config

import (
	"cmp"
	"errors"

	"github.com/gomamba/gomamba/internal/badfile"
)

// withinSSM stands before the keys of ssm_cfg in messages.
const withinSSM = "ssm_cfg."

// spellings say how the layouts other than Hugging Face's spell its keys. A layout that has no such key leaves it out.
var spellings = map[string]map[string]string{
	"original": {
		"hidden_size": "d_model", "num_hidden_layers": "n_layer", "tie_word_embeddings": "tie_embeddings",
		"state_size": withinSSM + "d_state", "conv_kernel": withinSSM + "d_conv", "expand": withinSSM + "expand",
		"time_step_rank": withinSSM + "dt_rank", "head_dim": withinSSM + "headdim", "n_groups": withinSSM + "ngroups",
		"chunk_size": withinSSM + "chunk_size", "time_step_limit": withinSSM + "dt_limit",
		"use_bias": withinSSM + "bias", "use_conv_bias": withinSSM + "conv_bias",
		"intermediate_size": "d_model times " + withinSSM + "expand",
		"num_heads":         "d_model times " + withinSSM + "expand over " + withinSSM + "headdim",
		"vocab_size":        "vocab_size", "residual_in_fp32": "residual_in_fp32",
		"time_step_min": withinSSM + "dt_min", "time_step_max": withinSSM + "dt_max", "time_step_floor": withinSSM + "dt_init_floor",
		"time_step_scale": withinSSM + "dt_scale", "time_step_init_scheme": withinSSM + "dt_init",
	},
	"mistral": {
		"hidden_size": "dim", "num_hidden_layers": "n_layers", "tie_word_embeddings": "tie_embeddings",
		"vocab_size": "vocab_size", "n_groups": "n_groups", "residual_in_fp32": "residual_in_fp32",
	},
	ggufMamba: {
		"hidden_size": ".embedding_length", "num_hidden_layers": ".block_count", "conv_kernel": ".ssm.conv_kernel",
		"intermediate_size": ".ssm.inner_size", "state_size": ".ssm.state_size", "time_step_rank": ".ssm.time_step_rank",
		"layer_norm_epsilon": ggufEpsilon,
	},
	ggufMamba2: {
		"hidden_size": ".embedding_length", "num_hidden_layers": ".block_count", "conv_kernel": ".ssm.conv_kernel",
		"state_size": ".ssm.state_size", "num_heads": ".ssm.time_step_rank", "n_groups": ".ssm.group_count",
		"layer_norm_epsilon": ggufEpsilon,
	},
}

// Spelling returns what a layout ("hf", "original", "mistral" or "gguf") has in place of a key of transformers'
// config.json, for messages about files of that layout. What it has nothing for stays as it is.
func Spelling(layout string, family Family, key string) string {
	spelling, _ := Spelled(layout, family, key)
	return cmp.Or(spelling, key)
}

// Spelled is Spelling for a caller that has to know whether the layout can state the key at all. A key that is inside
// an object follows that one's and a dot.
func Spelled(layout string, family Family, key string) (spelling string, ok bool) {
	switch layout {
	case "hf":
		return key, true
	case "gguf":
		arch := ggufMamba
		if family == Mamba2 {
			arch = ggufMamba2
		}
		if spelling, ok = spellings[arch][key]; ok {
			spelling = arch + spelling
		}
		return spelling, ok
	}
	spelling, ok = spellings[layout][key]
	return spelling, ok
}

// ofArgument returns the key of transformers' config.json for an argument of mamba_ssm's mixers; empty: it has none.
func ofArgument(argument string) string {
	for key, spelling := range spellings["original"] {
		if spelling == withinSSM+argument {
			return key
		}
	}
	return ""
}

// spelled puts a layout's spelling for the key that an error is about.
func spelled(layout string, family Family, err error) error {
	return atKey(err, func(key string) string { return Spelling(layout, family, key) })
}

// underKey says that the key an error is about is one of an object within.
func underKey(within string, err error) error {
	return atKey(err, func(key string) string { return within + key })
}

// atKey renames the key that an error is about.
func atKey(err error, rename func(key string) string) error {
	if format, ok := errors.AsType[*badfile.FormatError](err); ok && format.Where != "" {
		format.Where = rename(format.Where)
	}
	if unsupp, ok := errors.AsType[*badfile.UnsupportedError](err); ok && unsupp.Where != "" {
		unsupp.Where = rename(unsupp.Where)
	}
	return err
}
