package names

// mamba1 is the block of Mamba-1 and of FalconMamba, which has no tensors of its own: Hugging Face (transformers 5.24,
// models/mamba/modeling_mamba.py), the original code (mamba_ssm/modules/mamba_simple.py), llama.cpp
// (gguf-py/gguf/tensor_mapping.py and conversion/mamba.py).
var mamba1 = mamba1Under("norm.weight", "mixer.", "use_bias", "use_conv_bias")

// mamba1Under is that block after a norm and under a prefix, with the switches of the biases of its projections and of its
// convolution, and the norms of dt, B and C, if they have weights.
func mamba1Under(norm, under, bias, convBias string, norms ...row) block {
	rows := []row{
		{name: norm, shape: dims{"D"}, init: ones, gguf: rowNorm.gguf},
		{name: under + "in_proj.weight", shape: dims{"2I", "D"}, gguf: place{name: "ssm_in.weight"}}, // x above z
		{name: under + "in_proj.bias", shape: dims{"2I"}, init: zeros, when: bias},
		{name: under + "conv1d.weight", shape: dims{"I", "1", "=K"}, init: convolution, gguf: place{name: "ssm_conv1d.weight", f32: true, shape: dims{"I", "K"}}},
		{name: under + "conv1d.bias", shape: dims{"I"}, init: convolution, when: convBias, gguf: place{name: "ssm_conv1d.bias", f32: true, demanded: true}},
		{name: under + "x_proj.weight", shape: dims{"R+2N", "I"}, gguf: place{name: "ssm_x.weight"}}, // dt, B, C
	}
	rows = append(rows, norms...)
	rows = append(rows, []row{
		{name: under + "dt_proj.weight", shape: dims{"I", "=R"}, init: dtProjection, gguf: place{name: "ssm_dt.weight"}},
		{name: under + "dt_proj.bias", shape: dims{"I"}, init: stepSize, gguf: place{name: "ssm_dt.bias", f32: true}},
		{name: under + "A_log", shape: dims{"=I", "=N"}, init: realS4D, gguf: place{name: "ssm_a", f32: true, negExp: true}},
		{name: under + "D", shape: dims{"I"}, init: ones, gguf: place{name: "ssm_d", f32: true}},
		{name: under + "out_proj.weight", shape: dims{"D", "I"}, init: outProjection, gguf: place{name: "ssm_out.weight"}},
		{name: under + "out_proj.bias", shape: dims{"D"}, init: zeros, when: bias},
	}...)
	return block{
		title: "Mamba-1 blocks",
		norm:  norm,
		under: under,
		rows:  rows,
		transformers: []string{
			"norm", "mixer.A_log", "mixer.D", "mixer.conv1d", "mixer.in_proj", "mixer.x_proj", "mixer.dt_proj", "mixer.out_proj",
		},
		mambaSSM: []string{
			"mixer.A_log", "mixer.D", "mixer.in_proj", "mixer.conv1d", "mixer.x_proj", "mixer.dt_proj", "mixer.out_proj", "norm",
		},
	}
}
