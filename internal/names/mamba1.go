package names

import "github.com/gomamba/gomamba/config"

type m1 = *config.MambaConfig

// mamba1 is the table of Mamba-1 (transformers 5.23, models/mamba/modeling_mamba.py), with the symbols of
// package config: V rows, width D, I channels, N states, kernel K, rank R.
var mamba1 = []row[m1]{
	{"backbone.embeddings.weight", vocabByWidth, nil},
	{blockPrefix + "norm.weight", width, nil},
	{blockPrefix + "mixer.in_proj.weight", func(c m1) []int { return []int{2 * c.DInner(), c.HiddenSize} }, nil}, // x above z
	{blockPrefix + "mixer.in_proj.bias", func(c m1) []int { return []int{2 * c.DInner()} }, projectionBias},
	{blockPrefix + "mixer.conv1d.weight", func(c m1) []int { return []int{c.DInner(), 1, c.ConvKernel} }, nil},
	{blockPrefix + "mixer.conv1d.bias", inner, convBias},
	{blockPrefix + "mixer.x_proj.weight", func(c m1) []int { return []int{c.TimeStepRank + 2*c.StateSize, c.DInner()} }, nil}, // dt, B, C
	{blockPrefix + "mixer.dt_proj.weight", func(c m1) []int { return []int{c.DInner(), c.TimeStepRank} }, nil},
	{blockPrefix + "mixer.dt_proj.bias", inner, nil},
	{blockPrefix + "mixer.A_log", func(c m1) []int { return []int{c.DInner(), c.StateSize} }, nil},
	{blockPrefix + "mixer.D", inner, nil},
	{blockPrefix + "mixer.out_proj.weight", func(c m1) []int { return []int{c.HiddenSize, c.DInner()} }, nil},
	{blockPrefix + "mixer.out_proj.bias", width, projectionBias},
	{"backbone.norm_f.weight", width, nil},
	{"lm_head.weight", vocabByWidth, head},
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
