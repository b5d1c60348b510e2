package names

// mamba2 is the table of Mamba-2: Hugging Face (transformers 5.24, models/mamba2/modeling_mamba2.py), the original code
// (mamba_ssm/modules/mamba2.py), llama.cpp (gguf-py/gguf/tensor_mapping.py and conversion/mamba.py).
var mamba2 = []row{
	rowEmbedding,
	rowNorm,
	{
		blockPrefix + "mixer.in_proj.weight", "", place{name: ggufBlock + "ssm_in.weight"},
		func(s sizes) []int { return []int{s.I + s.channels() + s.H, s.D} }, nil, // z, x, B, C, dt
	},
	{
		blockPrefix + "mixer.in_proj.bias", "", place{},
		func(s sizes) []int { return []int{s.I + s.channels() + s.H} }, projectionBias,
	},
	{
		blockPrefix + "mixer.conv1d.weight", "",
		place{name: ggufBlock + "ssm_conv1d.weight", f32: true, shape: func(s sizes) []int { return []int{s.channels(), s.K} }},
		func(s sizes) []int { return []int{s.channels(), 1, s.K} }, nil,
	},
	{
		blockPrefix + "mixer.conv1d.bias", "", place{name: ggufBlock + "ssm_conv1d.bias", f32: true},
		func(s sizes) []int { return []int{s.channels()} }, convBias,
	},
	{blockPrefix + "mixer.dt_bias", "", place{name: ggufBlock + "ssm_dt.bias", f32: true}, heads, nil},
	{
		blockPrefix + "mixer.A_log", "", place{name: ggufBlock + "ssm_a", f32: true, negExp: true, shape: column}, heads, nil,
	},
	{blockPrefix + "mixer.D", "", place{name: ggufBlock + "ssm_d", f32: true, shape: column}, heads, nil},
	{
		blockPrefix + "mixer.norm.weight", "",
		place{name: ggufBlock + "ssm_norm.weight", f32: true, shape: func(s sizes) []int { return []int{s.G, s.I / s.G} }},
		inner, nil,
	},
	{blockPrefix + "mixer.out_proj.weight", "", place{name: ggufBlock + "ssm_out.weight"}, widthByInner, nil},
	{blockPrefix + "mixer.out_proj.bias", "", place{}, width, projectionBias},
	rowNormF,
	rowHead,
}

func heads(s sizes) []int { return []int{s.H} }

func column(s sizes) []int { return []int{s.H, 1} }
