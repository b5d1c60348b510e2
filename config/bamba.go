package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// BambaConfig mirrors the class BambaConfig of transformers 5.24 (models/bamba/configuration_bamba.py): layers of Mamba-2 or
// attention, each followed by SwiGLU. StateSize is mamba_d_state, ConvKernel mamba_d_conv, Expand mamba_expand, UseBias
// mamba_proj_bias, UseConvBias mamba_conv_bias, LayerNormEpsilon rms_norm_eps.
type BambaConfig struct {
	notInOld
	Common
	Mixer2
	QueryHeads
	AttentionLayers []int      // attn_layer_indices; all other layers have Mamba-2. Empty is null
	TimeStepLimit   [2]float64 // dt is clamped to it after the softplus; (0, +Inf) changes nothing

	AttentionBias    bool // of all four projections
	MLPBias          bool // of all three projections
	Rope             Rope // turns the first half of a head
	IntermediateSize int  // of the SwiGLU

	turnedWhole bool // its GGUF file has the rows of whole heads interleaved, and not only of what turns
}

// NewBamba returns the defaults of transformers 5.24.
func NewBamba() *BambaConfig {
	return &BambaConfig{
		notInOld:         notInOld{Bamba},
		Common:           commonSwiGLU("BambaForCausalLM"),
		Mixer2:           Mixer2{MambaNumHeads: 128, MambaHeadDim: 64, NGroups: 1, ChunkSize: 256},
		QueryHeads:       QueryHeads{NumAttentionHeads: 32, NumKeyValueHeads: 8, HeadDim: 128},
		TimeStepLimit:    noLimit,
		Rope:             Rope{Theta: defaultTheta, Part: 0.5},
		IntermediateSize: 14336,
	}
}

var entryBamba = entry{
	family:  Bamba,
	title:   "Bamba",
	classes: []string{"BambaForCausalLM", "BambaModel"},
	fresh:   func() Config { return NewBamba() },
	hybrid:  true,
	gguf:    llamaCpp{writable: bambaWritable, hybrid: &bambaGGUF},
}

// Family returns Bamba.
func (c *BambaConfig) Family() Family { return Bamba }

// ConvChannels implements Config.
func (c *BambaConfig) ConvChannels() int { return c.convolved(c.StateSize) }

// Validate implements Config.
func (c *BambaConfig) Validate() error {
	return validate(c,
		func() error { return c.Mixer2.checkExpanded(&c.Common) },
		c.QueryHeads.check,
		c.checkPositions,
		c.checkSize,
	)
}

func (c *BambaConfig) checkPositions() error {
	if !hasBlock(c, BlockAttention) {
		return nil
	}
	return c.Rope.check(c.HeadDim)
}

// checkSize bounds the weights and the states of one sequence together.
func (c *BambaConfig) checkSize() error {
	d, layers, attention := float64(c.HiddenSize), float64(c.NumHiddenLayers), float64(len(layersWith(c, BlockAttention)))
	sum := 2*float64(c.VocabSize)*d + attention*c.QueryHeads.weights(d) + layers*3*(d+1)*float64(c.IntermediateSize)
	return checkBytes(sum + (layers-attention)*c.Mixer2.weights(d, float64(c.StateSize), float64(c.ConvKernel)))
}

// Clone implements Config.
func (c *BambaConfig) Clone() Config {
	d := copyOf(c)
	d.AttentionLayers = slices.Clone(c.AttentionLayers)
	return d
}

// EncodeHF implements Config.
func (c *BambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *BambaConfig) Layer(i int) []Block {
	if slices.Contains(c.AttentionLayers, i) {
		return []Block{BlockAttention, BlockSwiGLU}
	}
	return []Block{BlockMamba2, BlockSwiGLU}
}

// Summary implements Config.
func (c *BambaConfig) Summary() string {
	return mixerWords(c, &c.Mixer2) + fmt.Sprintf("%s, intermediate_size %d", c.words(), c.IntermediateSize)
}

func (c *BambaConfig) fields() []field {
	mixers, attention := hasBlock(c, BlockMamba2), hasBlock(c, BlockAttention)
	layers := []field{c.depthField(), c.attentionField().deciding(Results)}
	return slices.Concat(c.QueryHeads.fields(attention), c.modelFields("rms_norm_eps", layers...), []field{
		c.siluField("hidden_act"),
		c.tiedField(),

		c.headDimField().deciding(Results).counting(attention), // the shapes show its products with the heads
		boolField("attention_bias", &c.AttentionBias).deciding(Tensors),
		ropeField("rope_parameters", &c.Rope, func() bool { return attention }).deciding(Results),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors),
		boolField("mlp_bias", &c.MLPBias).deciding(Tensors),
	}, c.Mixer2.fields(&c.Common, &c.TimeStepLimit, mixers, mixers), c.runFields())
}

// attentionField lists the layers that have attention. Those that the model does not have count for nothing.
func (c *BambaConfig) attentionField() field {
	f := indicesField("attn_layer_indices", &c.AttentionLayers)
	f.text = func() string {
		if len(c.AttentionLayers) == 0 {
			return "null"
		}
		return indexList(c.AttentionLayers)
	}
	f.same = func() string { return indexList(layersWith(c, BlockAttention)) }
	return f
}

func (c *BambaConfig) handles() []handle {
	turned := c.turnedInGGUF()
	return slices.Concat(c.sizes(), c.Mixer2.handles(), c.QueryHeads.handles(), []handle{
		size("F", &c.IntermediateSize), size("T", &turned),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle("attention_bias", &c.AttentionBias),
		toggle("mlp_bias", &c.MLPBias), toggle(keyTied, &c.TieWordEmbeddings),
	})
}

func (c *BambaConfig) settle(shown Sizes) {
	c.fitExpand(shown["I"])
	c.Mixer2.settle(shown, &c.StateSize)
}

func (c *BambaConfig) parse(keys jsonobj.Members) error {
	c.MambaHeadDim = rankAuto
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	if err := c.Rope.settle(keys, hasBlock(c, BlockAttention)); err != nil {
		return err
	}
	c.QueryHeads.complete(c.HiddenSize)
	if err := c.Mixer2.divide(c.expanded()); err != nil {
		return err
	}
	return c.Validate()
}
