package names

// mamba2 is the block of Mamba-2: Hugging Face (transformers 5.24, models/mamba2/modeling_mamba2.py), the original code
// (mamba_ssm/modules/mamba2.py), llama.cpp (gguf-py/gguf/tensor_mapping.py and conversion/mamba.py).
var mamba2 = block{
	title: "Mamba-2 blocks",
	norm:  "norm.weight",
	under: "mixer.",
	rows: []row{
		rowNorm,
		{name: "mixer.in_proj.weight", shape: dims{"I+C+H", "D"}, gguf: place{name: "ssm_in.weight"}}, // z, x, B, C, dt
		{name: "mixer.in_proj.bias", shape: dims{"I+C+H"}, init: zeros, when: "use_bias"},
		{name: "mixer.conv1d.weight", shape: dims{"=C", "1", "=K"}, init: convolution, gguf: place{name: "ssm_conv1d.weight", f32: true, shape: dims{"C", "K"}}},
		{name: "mixer.conv1d.bias", shape: dims{"C"}, init: convolution, when: "use_conv_bias", gguf: place{name: "ssm_conv1d.bias", f32: true, demanded: true}},
		{name: "mixer.dt_bias", shape: dims{"H"}, init: stepSize, gguf: place{name: "ssm_dt.bias", f32: true}},
		{name: "mixer.A_log", shape: dims{"=H"}, init: logUniform, gguf: place{name: "ssm_a", f32: true, negExp: true, shape: dims{"H", "1"}}},
		{name: "mixer.D", shape: dims{"H"}, init: ones, gguf: place{name: "ssm_d", f32: true, shape: dims{"H", "1"}}},
		{name: "mixer.norm.weight", shape: dims{"=I"}, init: ones, gguf: place{name: "ssm_norm.weight", f32: true, shape: dims{"G", "I/G"}}},
		{name: "mixer.out_proj.weight", shape: dims{"D", "I"}, init: outProjection, gguf: place{name: "ssm_out.weight"}},
		{name: "mixer.out_proj.bias", shape: dims{"D"}, init: zeros, when: "use_bias"},
	},
	transformers: []string{
		"norm", "mixer.dt_bias", "mixer.A_log", "mixer.D", "mixer.conv1d", "mixer.in_proj", "mixer.norm", "mixer.out_proj",
	},
	mambaSSM: []string{
		"mixer.dt_bias", "mixer.A_log", "mixer.D", "mixer.in_proj", "mixer.conv1d", "mixer.norm", "mixer.out_proj", "norm",
	},
}
