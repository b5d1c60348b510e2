package names

// mamba1 is the block of Mamba-1 and of FalconMamba, which has no tensors of its own: Hugging Face (transformers 5.24,
// models/mamba/modeling_mamba.py), the original code (mamba_ssm/modules/mamba_simple.py), llama.cpp
// (gguf-py/gguf/tensor_mapping.py and conversion/mamba.py).
var mamba1 = block{
	title: "Mamba-1 blocks",
	norm:  "norm.weight",
	under: "mixer.",
	rows: []row{
		rowNorm,
		{name: "mixer.in_proj.weight", shape: dims{"2I", "D"}, gguf: place{name: "ssm_in.weight"}}, // x above z
		{name: "mixer.in_proj.bias", shape: dims{"2I"}, init: zeros, when: "use_bias"},
		{name: "mixer.conv1d.weight", shape: dims{"I", "1", "=K"}, init: convolution, gguf: place{name: "ssm_conv1d.weight", f32: true, shape: dims{"I", "K"}}},
		{name: "mixer.conv1d.bias", shape: dims{"I"}, init: convolution, when: "use_conv_bias", gguf: place{name: "ssm_conv1d.bias", f32: true, demanded: true}},
		{name: "mixer.x_proj.weight", shape: dims{"R+2N", "I"}, gguf: place{name: "ssm_x.weight"}}, // dt, B, C
		{name: "mixer.dt_proj.weight", shape: dims{"I", "=R"}, init: dtProjection, gguf: place{name: "ssm_dt.weight"}},
		{name: "mixer.dt_proj.bias", shape: dims{"I"}, init: stepSize, gguf: place{name: "ssm_dt.bias", f32: true}},
		{name: "mixer.A_log", shape: dims{"=I", "=N"}, init: realS4D, gguf: place{name: "ssm_a", f32: true, negExp: true}},
		{name: "mixer.D", shape: dims{"I"}, init: ones, gguf: place{name: "ssm_d", f32: true}},
		{name: "mixer.out_proj.weight", shape: dims{"D", "I"}, init: outProjection, gguf: place{name: "ssm_out.weight"}},
		{name: "mixer.out_proj.bias", shape: dims{"D"}, init: zeros, when: "use_bias"},
	},
	transformers: []string{
		"norm", "mixer.A_log", "mixer.D", "mixer.conv1d", "mixer.in_proj", "mixer.x_proj", "mixer.dt_proj", "mixer.out_proj",
	},
	mambaSSM: []string{
		"mixer.A_log", "mixer.D", "mixer.in_proj", "mixer.conv1d", "mixer.x_proj", "mixer.dt_proj", "mixer.out_proj", "norm",
	},
}
