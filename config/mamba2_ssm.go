package config

import "fmt"

// ssmMamba2 is Mamba2 in mamba_ssm/modules/mamba2.py.
var ssmMamba2 = mambaSSM{
	layers:    []string{"Mamba2"},
	layer:     "Mamba2",
	defaults:  func(width int) Config { return newMixer2(width) },
	arguments: func(c Config) ([]field, func(int) error) { return c.(*Mamba2Config).arguments() },
	// The path that mamba_ssm computes by, and two more initial values.
	kept: []string{"use_mem_eff_path", "A_init_range", "conv_init"},
}

// newMixer2 returns the defaults of the constructor for a model of that width.
func newMixer2(width int) *Mamba2Config {
	c := NewMamba2()
	c.NGroups = 1
	c.NumHeads = c.Expand * width / c.HeadDim
	c.TimeStepRank = (width + 15) / 16
	zero := 0 // the ids of GPT-NeoX's tokenizer, which these models are used with
	c.PadTokenID, c.BosTokenID, c.EosTokenID = &zero, new(int), TokenIDs{IDs: []int{0}}
	return c
}

// mixers2 are the switches of mamba_ssm's Mamba2 (modules/mamba2.py) that neither transformers nor llama.cpp has.
var mixers2 = []struct{ key, usual, what string }{
	{"norm_before_gate", "false", "the gated norm before the gate"},
	{"rmsnorm", "true", "a mixer without the gated norm"},
	{"D_has_hdim", "false", "a D for every channel instead of every head"},
	{"d_ssm", "null", "an SSM over part of the channels, with an MLP over the rest"},
}

func (c *Mamba2Config) arguments() (args []field, settle func(width int) error) {
	limit := limitField("dt_limit", &c.TimeStepLimit)
	text := limit.text
	limit.text = func() string { return finite(text()) }
	norm, before, wide, part := true, false, false, (*int)(nil)
	args = append([]field{
		intField("d_state", &c.StateSize, 1, maxInner),
		intField("d_conv", &c.ConvKernel, 1, maxInner),
		intField("expand", &c.Expand, 1, maxInner),
		intField("headdim", &c.HeadDim, 1, maxWidth),
		intField("ngroups", &c.NGroups, 1, maxInner),
		intField("chunk_size", &c.ChunkSize, 1, maxWidth),
		boolField("conv_bias", &c.UseConvBias),
		boolField("bias", &c.UseBias),
		limit,
		boolField("rmsnorm", &norm),
		boolField("norm_before_gate", &before),
		boolField("D_has_hdim", &wide),
		idField("d_ssm", &part),
	}, c.initialArguments()...)
	return args, func(width int) error {
		if err := underKey(withinSSM, checkFields(args)); err != nil {
			return err
		}
		inner := int64(c.Expand) * int64(width)
		found := map[string]string{
			"rmsnorm": fmt.Sprint(norm), "norm_before_gate": fmt.Sprint(before), "D_has_hdim": fmt.Sprint(wide), "d_ssm": "null",
		}
		if part != nil && int64(*part) != inner {
			found["d_ssm"] = fmt.Sprint(*part)
		}
		return c.settleArguments(width, inner, found)
	}
}

// settleArguments refuses the mixers that neither transformers nor llama.cpp has, and divides the channels among heads.
func (c *Mamba2Config) settleArguments(width int, inner int64, found map[string]string) error {
	for _, x := range mixers2 {
		if found[x.key] != x.usual {
			return unsupported(ssm(x.key), "found %s: %s, which neither transformers nor llama.cpp has; only %s is supported",
				found[x.key], x.what, x.usual)
		}
	}
	switch {
	case inner > maxWidth:
		return formatError(ssm("expand"), "found %d, which times d_model %d is too wide", c.Expand, width)
	case inner%int64(c.HeadDim) != 0:
		return formatError(ssm("headdim"), "found %d, which does not divide expand*d_model = %d", c.HeadDim, inner)
	}
	c.NumHeads = int(inner) / c.HeadDim
	return nil
}

// EncodeOriginal implements Config.
func (c *Mamba2Config) EncodeOriginal() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encodeOriginal(c.inOriginal())
}

// inOriginal returns the keys of the original layout.
func (c *Mamba2Config) inOriginal() (*originalFile, error) { return inOriginal(c, c) }
