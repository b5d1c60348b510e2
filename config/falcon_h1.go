package config

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// FalconH1Config mirrors the class FalconH1Config of transformers 5.24 (models/falcon_h1/configuration_falcon_h1.py): in every
// layer, Mamba-2 and attention read the same input and both are added, followed by SwiGLU. StateSize is mamba_d_state,
// ConvKernel mamba_d_conv, Expand mamba_expand, UseBias mamba_proj_bias, which applies to in_proj only, UseConvBias
// mamba_conv_bias, LayerNormEpsilon rms_norm_eps.
type FalconH1Config struct {
	notInOld
	Common
	Mixer2
	QueryHeads
	InnerStated    int        // mamba_d_ssm, the channels of Mamba-2; 0: null, and they are mamba_expand*hidden_size
	TimeStepLimit  [2]float64 // dt is clamped to it after the softplus; (0, +Inf) changes nothing
	RMSNorm        bool       // mamba_rms_norm: Mamba-2 has a norm
	NormBeforeGate bool       // mamba_norm_before_gate: that norm stands before the gate, otherwise after it

	ProjectorsBias   bool // projectors_bias, which is that of Mamba-2's out_proj
	AttentionBias    bool // of all four projections
	MLPBias          bool // of all three projections
	Rope             Rope
	IntermediateSize int // of the SwiGLU
	Multipliers

	folded   bool            // the multipliers are in the weights, and all 1
	unfolded *FalconH1Config // as it was before that; nil: nobody knows
}

// NewFalconH1 returns the defaults of transformers 5.24.
func NewFalconH1() *FalconH1Config {
	return &FalconH1Config{
		notInOld:         notInOld{FalconH1},
		Common:           commonSwiGLU("FalconH1ForCausalLM"),
		Mixer2:           Mixer2{MambaNumHeads: 128, MambaHeadDim: 8, NGroups: 1, ChunkSize: 256},
		QueryHeads:       QueryHeads{NumAttentionHeads: 32, NumKeyValueHeads: 8, HeadDim: 128},
		InnerStated:      1024,
		TimeStepLimit:    noLimit,
		NormBeforeGate:   true,
		Rope:             Rope{Theta: defaultTheta},
		IntermediateSize: 14336,
		Multipliers:      plain(),
	}
}

// commonSwiGLU are the defaults that Falcon-H1 and Bamba have in common.
func commonSwiGLU(class string) Common {
	return hybridDefaults(Common{
		Architectures:    []string{class},
		VocabSize:        128000,
		HiddenSize:       4096,
		StateSize:        256,
		NumHiddenLayers:  32,
		LayerNormEpsilon: 1e-5,
	})
}

var entryFalconH1 = entry{
	family:  FalconH1,
	title:   "Falcon-H1",
	classes: []string{"FalconH1ForCausalLM", "FalconH1Model"},
	fresh:   func() Config { return NewFalconH1() },
	hybrid:  true,
	mlx:     mlxFalconH1,
	gguf:    llamaCpp{writable: falconH1Writable, hybrid: &falconH1GGUF},
}

// Family returns FalconH1.
func (c *FalconH1Config) Family() Family { return FalconH1 }

// ConvChannels implements Config.
func (c *FalconH1Config) ConvChannels() int { return c.convolved(c.StateSize) }

// Validate implements Config.
func (c *FalconH1Config) Validate() error {
	return validate(c,
		c.checkHeads,
		c.QueryHeads.check,
		func() error { return c.Rope.check(c.HeadDim) },
		c.checkSize,
	)
}

// checkHeads reports heads of Mamba-2 that do not make up its channels.
func (c *FalconH1Config) checkHeads() error {
	if c.InnerStated == 0 {
		return c.Mixer2.checkExpanded(&c.Common)
	}
	return c.Mixer2.checkInner(c.InnerStated, "mamba_d_ssm", c.StateSize)
}

// checkSize bounds the weights and the states of one sequence together.
func (c *FalconH1Config) checkSize() error {
	d := float64(c.HiddenSize)
	layer := c.Mixer2.weights(d, float64(c.StateSize), float64(c.ConvKernel)) + c.QueryHeads.weights(d) + 3*(d+1)*float64(c.IntermediateSize)
	return checkBytes(2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*layer)
}

// innerChannels returns the channels of Mamba-2, however the file states them.
func (c *FalconH1Config) innerChannels() (int, error) {
	if c.InnerStated != 0 {
		return c.InnerStated, nil
	}
	return c.expanded()
}

// Clone implements Config.
func (c *FalconH1Config) Clone() Config { return copyOf(c) }

// EncodeHF implements Config.
func (c *FalconH1Config) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *FalconH1Config) Layer(int) []Block { return []Block{BlockMamba2, BlockAttention, BlockSwiGLU} }

// Summary implements Config.
func (c *FalconH1Config) Summary() string {
	return mixerWords(c, &c.Mixer2) + fmt.Sprintf("%s, intermediate_size %d", c.words(), c.IntermediateSize)
}

func (c *FalconH1Config) fields() []field {
	return slices.Concat(c.QueryHeads.fields(true), c.modelFields("rms_norm_eps", c.depthField()), []field{
		c.siluField("hidden_act"),
		c.tiedField(),

		c.headDimField().deciding(Results), // the shapes show its products with the heads
		boolField("attention_bias", &c.AttentionBias).deciding(Tensors),
		ropeField("rope_parameters", &c.Rope, func() bool { return true }).deciding(Results),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors),
		boolField("mlp_bias", &c.MLPBias).deciding(Tensors),
		c.innerField().deciding(Tensors),
		boolField("mamba_rms_norm", &c.RMSNorm).deciding(Tensors),
		boolField("mamba_norm_before_gate", &c.NormBeforeGate).deciding(Results).counting(c.RMSNorm),
		boolField("projectors_bias", &c.ProjectorsBias).deciding(Tensors),
	}, c.Multipliers.fields(), c.Mixer2.fields(&c.Common, &c.TimeStepLimit, true, false), c.runFields())
}

// innerField states the channels of Mamba-2, or with null leaves them to mamba_expand.
func (c *FalconH1Config) innerField() field {
	f := nullableField(intField("mamba_d_ssm", &c.InnerStated, 1, maxWidth), &c.InnerStated, 0)
	inRange := f.check
	f.check = func() bool { return c.InnerStated == 0 || inRange() }
	f.same = func() string { return strconv.Itoa(c.DInner()) }
	return f
}

func (c *FalconH1Config) handles() []handle {
	return slices.Concat(c.sizes(), c.Mixer2.handles(), c.QueryHeads.handles(), []handle{
		size("F", &c.IntermediateSize),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle("mamba_rms_norm", &c.RMSNorm),
		toggle("projectors_bias", &c.ProjectorsBias), toggle("attention_bias", &c.AttentionBias), toggle("mlp_bias", &c.MLPBias),
		toggle(keyTied, &c.TieWordEmbeddings),
	})
}

func (c *FalconH1Config) settle(shown Sizes) {
	if inner := shown["I"]; inner > 0 && c.InnerStated == 0 {
		if c.fitExpand(inner); inner != c.Expand*c.HiddenSize {
			c.InnerStated = inner
		}
	} else if inner > 0 {
		c.InnerStated = inner
	}
	c.Mixer2.settle(shown, &c.StateSize)
}

func (c *FalconH1Config) parse(keys jsonobj.Members) error {
	c.MambaHeadDim = rankAuto
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	if err := c.Rope.settle(keys, true); err != nil {
		return err
	}
	c.QueryHeads.complete(c.HiddenSize)
	if err := c.Mixer2.divide(c.innerChannels()); err != nil {
		return err
	}
	return c.Validate()
}
