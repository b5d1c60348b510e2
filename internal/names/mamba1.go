package names

import "github.com/gomamba/gomamba/config"

type m1 = *config.MambaConfig

// mamba1 is the table of Mamba-1: Hugging Face (transformers 5.23, models/mamba/modeling_mamba.py), the original code
// (mamba_ssm/modules/mamba_simple.py), llama.cpp (gguf-py/gguf/tensor_mapping.py and conversion/mamba.py). Shapes have the
// symbols of package config: V rows, width D, I channels, N states, kernel K, rank R.
var mamba1 = []row[m1]{
	{"backbone.embeddings.weight", "backbone.embedding.weight", GGUF{"token_embd.weight", Same, false}, vocabByWidth, nil},
	{blockPrefix + "norm.weight", "", GGUF{ggufBlock + "attn_norm.weight", Same, true}, width, nil},
	{
		blockPrefix + "mixer.in_proj.weight", "", GGUF{ggufBlock + "ssm_in.weight", Same, false},
		func(c m1) []int { return []int{2 * c.DInner(), c.HiddenSize} }, nil, // x above z
	},
	{
		blockPrefix + "mixer.in_proj.bias", "", GGUF{},
		func(c m1) []int { return []int{2 * c.DInner()} }, projectionBias,
	},
	{
		blockPrefix + "mixer.conv1d.weight", "", GGUF{ggufBlock + "ssm_conv1d.weight", Squeeze, true},
		func(c m1) []int { return []int{c.DInner(), 1, c.ConvKernel} }, nil,
	},
	{blockPrefix + "mixer.conv1d.bias", "", GGUF{ggufBlock + "ssm_conv1d.bias", Same, true}, inner, convBias},
	{
		blockPrefix + "mixer.x_proj.weight", "", GGUF{ggufBlock + "ssm_x.weight", Same, false},
		func(c m1) []int { return []int{c.TimeStepRank + 2*c.StateSize, c.DInner()} }, nil, // dt, B, C
	},
	{
		blockPrefix + "mixer.dt_proj.weight", "", GGUF{ggufBlock + "ssm_dt.weight", Same, false},
		func(c m1) []int { return []int{c.DInner(), c.TimeStepRank} }, nil,
	},
	{blockPrefix + "mixer.dt_proj.bias", "", GGUF{ggufBlock + "ssm_dt.bias", Same, true}, inner, nil},
	{
		blockPrefix + "mixer.A_log", "", GGUF{ggufBlock + "ssm_a", NegExp, true},
		func(c m1) []int { return []int{c.DInner(), c.StateSize} }, nil,
	},
	{blockPrefix + "mixer.D", "", GGUF{ggufBlock + "ssm_d", Same, true}, inner, nil},
	{
		blockPrefix + "mixer.out_proj.weight", "", GGUF{ggufBlock + "ssm_out.weight", Same, false},
		func(c m1) []int { return []int{c.HiddenSize, c.DInner()} }, nil,
	},
	{blockPrefix + "mixer.out_proj.bias", "", GGUF{}, width, projectionBias},
	{"backbone.norm_f.weight", "", GGUF{"output_norm.weight", Same, true}, width, nil},
	{"lm_head.weight", "", GGUF{"output.weight", Same, false}, vocabByWidth, head},
}

func vocabByWidth(c m1) []int { return []int{c.VocabSize, c.HiddenSize} }

func width(c m1) []int { return []int{c.HiddenSize} }

func inner(c m1) []int { return []int{c.DInner()} }

func projectionBias(c m1) presence { return presentIf(c.UseBias) }

func convBias(c m1) presence { return presentIf(c.UseConvBias) }

// head is optional in a tied model: safetensors files leave it out, others hold a second copy of the embedding.
func head(c m1) presence {
	if c.TieWordEmbeddings {
		return optional
	}
	return required
}

func presentIf(used bool) presence {
	if used {
		return required
	}
	return absent
}
