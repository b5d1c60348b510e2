package names

// mamba2 is the block of Mamba-2: Hugging Face (transformers 5.24, models/mamba2/modeling_mamba2.py), the original code
// (mamba_ssm/modules/mamba2.py), llama.cpp (gguf-py/gguf/tensor_mapping.py and conversion/mamba.py).
var mamba2 = mamba2Under("norm.weight", "mixer.", "use_bias", "use_conv_bias")

// mamba2Under is that block after a norm and under a prefix, with the switches of the biases of its projections and of its
// convolution.
func mamba2Under(norm, under, bias, convBias string) block {
	return block{
		title: "Mamba-2 blocks",
		norm:  norm,
		under: under,
		rows: []row{
			{name: norm, shape: dims{"D"}, init: ones, gguf: rowNorm.gguf},
			{name: under + "in_proj.weight", shape: dims{"I+C+H", "D"}, gguf: place{name: "ssm_in.weight"}}, // z, x, B, C, dt
			{name: under + "in_proj.bias", shape: dims{"I+C+H"}, init: zeros, when: bias},
			{name: under + "conv1d.weight", shape: dims{"=C", "1", "=K"}, init: convolution, gguf: place{name: "ssm_conv1d.weight", f32: true, shape: dims{"C", "K"}}},
			{name: under + "conv1d.bias", shape: dims{"C"}, init: convolution, when: convBias, gguf: place{name: "ssm_conv1d.bias", f32: true, demanded: true}},
			{name: under + "dt_bias", shape: dims{"H"}, init: stepSize, gguf: place{name: "ssm_dt.bias", f32: true}},
			{name: under + "A_log", shape: dims{"=H"}, init: logUniform, gguf: place{name: "ssm_a", f32: true, negExp: true, shape: dims{"H", "1"}}},
			{name: under + "D", shape: dims{"H"}, init: ones, gguf: place{name: "ssm_d", f32: true, shape: dims{"H", "1"}}},
			{name: under + "norm.weight", shape: dims{"=I"}, init: ones, gguf: place{name: "ssm_norm.weight", f32: true, shape: dims{"G", "I/G"}}},
			{name: under + "out_proj.weight", shape: dims{"D", "=I"}, init: outProjection, gguf: place{name: "ssm_out.weight"}},
			{name: under + "out_proj.bias", shape: dims{"D"}, init: zeros, when: bias},
		},
		transformers: []string{
			"norm", "mixer.dt_bias", "mixer.A_log", "mixer.D", "mixer.conv1d", "mixer.in_proj", "mixer.norm", "mixer.out_proj",
		},
		mambaSSM: []string{
			"mixer.dt_bias", "mixer.A_log", "mixer.D", "mixer.in_proj", "mixer.conv1d", "mixer.norm", "mixer.out_proj", "norm",
		},
	}
}
