package names

// mamba1 is the table of Mamba-1: Hugging Face (transformers 5.24, models/mamba/modeling_mamba.py), the original code
// (mamba_ssm/modules/mamba_simple.py), llama.cpp (gguf-py/gguf/tensor_mapping.py and conversion/mamba.py).
var mamba1 = []row{
	rowEmbedding,
	rowNorm,
	{
		blockPrefix + "mixer.in_proj.weight", "", place{name: ggufBlock + "ssm_in.weight"},
		func(s sizes) []int { return []int{2 * s.I, s.D} }, nil, // x above z
	},
	{
		blockPrefix + "mixer.in_proj.bias", "", place{},
		func(s sizes) []int { return []int{2 * s.I} }, projectionBias,
	},
	{
		blockPrefix + "mixer.conv1d.weight", "",
		place{name: ggufBlock + "ssm_conv1d.weight", f32: true, shape: func(s sizes) []int { return []int{s.I, s.K} }},
		func(s sizes) []int { return []int{s.I, 1, s.K} }, nil,
	},
	{blockPrefix + "mixer.conv1d.bias", "", place{name: ggufBlock + "ssm_conv1d.bias", f32: true}, inner, convBias},
	{
		blockPrefix + "mixer.x_proj.weight", "", place{name: ggufBlock + "ssm_x.weight"},
		func(s sizes) []int { return []int{s.R + 2*s.N, s.I} }, nil, // dt, B, C
	},
	{
		blockPrefix + "mixer.dt_proj.weight", "", place{name: ggufBlock + "ssm_dt.weight"},
		func(s sizes) []int { return []int{s.I, s.R} }, nil,
	},
	{blockPrefix + "mixer.dt_proj.bias", "", place{name: ggufBlock + "ssm_dt.bias", f32: true}, inner, nil},
	{
		blockPrefix + "mixer.A_log", "", place{name: ggufBlock + "ssm_a", f32: true, negExp: true},
		func(s sizes) []int { return []int{s.I, s.N} }, nil,
	},
	{blockPrefix + "mixer.D", "", place{name: ggufBlock + "ssm_d", f32: true}, inner, nil},
	{blockPrefix + "mixer.out_proj.weight", "", place{name: ggufBlock + "ssm_out.weight"}, widthByInner, nil},
	{blockPrefix + "mixer.out_proj.bias", "", place{}, width, projectionBias},
	rowNormF,
	rowHead,
}
