package config

import (
	"fmt"
	"math"
	"strings"
)

// initial are the arguments that only matter for a mixer's initialisation, with the values that its constructor takes: it
// draws the logarithm of dt.
type initial struct {
	DtMin, DtMax, DtFloor float64
}

func (o *initial) fields() []field {
	fields := []field{
		floatField("dt_min", &o.DtMin),
		floatField("dt_max", &o.DtMax),
		floatField("dt_init_floor", &o.DtFloor),
	}
	for i, p := range []*float64{&o.DtMin, &o.DtMax} {
		fields[i].check = func() bool { return 0 < *p && *p <= math.MaxFloat64 }
		fields[i].want = "a finite number above 0"
	}
	return append(fields[:2:2], finiteField(fields[2], &o.DtFloor))
}

func finiteField(f field, p *float64) field {
	f.check = func() bool { return math.Abs(*p) <= math.MaxFloat64 }
	f.want = "a finite number"
	return f
}

// finite spells the infinities of a JSON text as numbers beyond all floats, which every JSON reader understands and
// Python's reads as infinite.
func finite(text string) string {
	return strings.NewReplacer("Infinity", "1e999").Replace(text)
}

// mixer1 holds the arguments of Mamba in mamba_ssm/modules/mamba_simple.py.
type mixer1 struct {
	initial
	DState, DConv, Expand, DtRank int
	DtScale                       float64
	DtInit                        string
	ConvBias, Bias                bool
}

func newMixer1() *mixer1 {
	return &mixer1{
		initial: initial{DtMin: 0.001, DtMax: 0.1, DtFloor: 1e-4},
		DState:  16, DConv: 4, Expand: 2, DtRank: rankAuto, DtScale: 1, DtInit: "random", ConvBias: true,
	}
}

// kept: use_fast_path is mamba_ssm's choice of kernel.
func (m *mixer1) kept() []string { return []string{"use_fast_path"} }

func (m *mixer1) fields() []field {
	init := stringField("dt_init", &m.DtInit)
	init.check = func() bool { return m.DtInit == "random" || m.DtInit == "constant" }
	init.want = `"random" or "constant"`
	fields := []field{
		intField("d_state", &m.DState, 1, maxInner),
		intField("d_conv", &m.DConv, 1, maxInner),
		intField("expand", &m.Expand, 1, maxInner),
		rankField("dt_rank", &m.DtRank),
		boolField("conv_bias", &m.ConvBias),
		boolField("bias", &m.Bias),
		finiteField(floatField("dt_scale", &m.DtScale), &m.DtScale),
		init,
	}
	return append(fields, m.initial.fields()...)
}

func (m *mixer1) resolve(o *original) error {
	if m.DtRank == rankAuto {
		m.DtRank = (o.DModel + 15) / 16
	}
	return underKey(withinSSM, checkFields(m.fields()))
}

func (m *mixer1) config(o *original) (Config, error) {
	c := NewMamba()
	c.StateSize, c.ConvKernel, c.Expand = m.DState, m.DConv, m.Expand
	if int64(m.Expand)*int64(o.DModel) > maxWidth {
		return nil, formatError("ssm_cfg.expand", "found %d, which times d_model %d is too wide", m.Expand, o.DModel)
	}
	c.IntermediateSize = m.Expand * o.DModel
	c.TimeStepRank = m.DtRank
	c.TimeStepMin, c.TimeStepMax, c.TimeStepFloor = m.DtMin, m.DtMax, m.DtFloor
	c.TimeStepScale, c.TimeStepInitScheme = m.DtScale, m.DtInit
	c.UseBias, c.UseConvBias = m.Bias, m.ConvBias
	return c, nil
}

// EncodeOriginal implements Config.
//
// What it drops without changing a result is told by ParseOriginal on the outcome: token ids, for example, an expand that
// is not the ratio of the widths, and initial values that mamba_ssm would not start with.
func (c *MambaConfig) EncodeOriginal() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	expand := c.IntermediateSize / c.HiddenSize
	if expand*c.HiddenSize != c.IntermediateSize || expand > maxInner {
		return nil, unsupported("intermediate_size", "found %d for a hidden_size of %d: the original layout holds only its ratio, "+
			"as an integer from 1 to %d", c.IntermediateSize, c.HiddenSize, maxInner)
	}
	defaults := newMixer1()
	defaults.DtRank = (c.HiddenSize + 15) / 16
	return encodeOriginal(c, &mixer1{
		initial: initial{DtMin: c.TimeStepMin, DtMax: c.TimeStepMax, DtFloor: c.TimeStepFloor},
		DState:  c.StateSize, DConv: c.ConvKernel, Expand: expand, DtRank: c.TimeStepRank,
		DtScale: c.TimeStepScale, DtInit: c.TimeStepInitScheme, ConvBias: c.UseConvBias, Bias: c.UseBias,
	}, defaults, "")
}

// EncodeOriginal implements Config: mamba_ssm has no such model.
func (c *FalconMambaConfig) EncodeOriginal() ([]byte, error) {
	return nil, unsupported(keyModelType, "found %q: the original layout has no norms on dt, B and C, and its code would compute "+
		"other results from these weights; choose hf or gguf", FalconMamba)
}

// mixer2 holds the arguments of Mamba2 in mamba_ssm/modules/mamba2.py.
type mixer2 struct {
	initial
	DState, DConv, Expand, HeadDim, NGroups, ChunkSize int
	ConvBias, Bias                                     bool
	DtLimit                                            [2]float64

	RMSNorm, NormBeforeGate, DHasHDim bool
	DSSM                              *int
}

func newMixer2() *mixer2 {
	return &mixer2{
		initial: initial{DtMin: 0.001, DtMax: 0.1, DtFloor: 1e-4},
		DState:  128, DConv: 4, Expand: 2, HeadDim: 64, NGroups: 1, ChunkSize: 256,
		ConvBias: true, DtLimit: noLimit, RMSNorm: true,
	}
}

// kept: the path that mamba_ssm computes by, and two more initial values.
func (m *mixer2) kept() []string { return []string{"use_mem_eff_path", "A_init_range", "conv_init"} }

func (m *mixer2) fields() []field {
	limit := limitField("dt_limit", &m.DtLimit)
	text := limit.text
	limit.text = func() string { return finite(text()) }
	return append([]field{
		intField("d_state", &m.DState, 1, maxInner),
		intField("d_conv", &m.DConv, 1, maxInner),
		intField("expand", &m.Expand, 1, maxInner),
		intField("headdim", &m.HeadDim, 1, maxWidth),
		intField("ngroups", &m.NGroups, 1, maxInner),
		intField("chunk_size", &m.ChunkSize, 1, maxWidth),
		boolField("conv_bias", &m.ConvBias),
		boolField("bias", &m.Bias),
		limit,
		boolField("rmsnorm", &m.RMSNorm),
		boolField("norm_before_gate", &m.NormBeforeGate),
		boolField("D_has_hdim", &m.DHasHDim),
		idField("d_ssm", &m.DSSM),
	}, m.initial.fields()...)
}

// resolve refuses the mixers that neither transformers nor llama.cpp has.
func (m *mixer2) resolve(o *original) error {
	if err := underKey(withinSSM, checkFields(m.fields())); err != nil {
		return err
	}
	inner := int64(m.Expand) * int64(o.DModel)
	found := map[string]string{
		"rmsnorm": fmt.Sprint(m.RMSNorm), "norm_before_gate": fmt.Sprint(m.NormBeforeGate), "D_has_hdim": fmt.Sprint(m.DHasHDim),
		"d_ssm": "null",
	}
	if m.DSSM != nil && int64(*m.DSSM) != inner {
		found["d_ssm"] = fmt.Sprint(*m.DSSM)
	}
	for _, x := range mixers2 {
		if found[x.key] != x.usual {
			return unsupported("ssm_cfg."+x.key, "found %s: %s, which neither transformers nor llama.cpp has; only %s is supported",
				found[x.key], x.what, x.usual)
		}
	}
	switch {
	case inner > maxWidth:
		return formatError("ssm_cfg.expand", "found %d, which times d_model %d is too wide", m.Expand, o.DModel)
	case inner%int64(m.HeadDim) != 0:
		return formatError("ssm_cfg.headdim", "found %d, which does not divide expand*d_model = %d", m.HeadDim, inner)
	}
	m.DSSM = nil
	return nil
}

func (m *mixer2) config(o *original) (Config, error) {
	c := NewMamba2()
	c.StateSize, c.ConvKernel, c.Expand = m.DState, m.DConv, m.Expand
	c.HeadDim, c.NumHeads, c.NGroups = m.HeadDim, m.Expand*o.DModel/m.HeadDim, m.NGroups
	c.ChunkSize, c.TimeStepLimit = m.ChunkSize, m.DtLimit
	c.TimeStepRank = (o.DModel + 15) / 16
	c.TimeStepMin, c.TimeStepMax, c.TimeStepFloor = m.DtMin, m.DtMax, m.DtFloor
	c.UseBias, c.UseConvBias = m.Bias, m.ConvBias
	zero := 0 // the ids of GPT-NeoX's tokenizer, which these models are used with
	c.PadTokenID, c.BosTokenID, c.EosTokenID = &zero, new(int), TokenIDs{IDs: []int{0}}
	return c, nil
}

// arguments2 translates c to the arguments of mamba_ssm's Mamba2.
func (c *Mamba2Config) arguments2() *mixer2 {
	return &mixer2{
		initial: initial{DtMin: c.TimeStepMin, DtMax: c.TimeStepMax, DtFloor: c.TimeStepFloor},
		DState:  c.StateSize, DConv: c.ConvKernel, Expand: c.Expand, HeadDim: c.HeadDim, NGroups: c.NGroups, ChunkSize: c.ChunkSize,
		ConvBias: c.UseConvBias, Bias: c.UseBias, DtLimit: c.TimeStepLimit, RMSNorm: true,
	}
}

// EncodeOriginal implements Config.
func (c *Mamba2Config) EncodeOriginal() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encodeOriginal(c, c.arguments2(), newMixer2(), "Mamba2")
}
