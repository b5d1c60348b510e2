package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// GraniteHybridConfig mirrors the class GraniteMoeHybridConfig of transformers 5.24
// (models/granitemoehybrid/configuration_granitemoehybrid.py): layers of Mamba-2 or attention, each followed by SwiGLU, with or
// without experts. Attention-only models have the same class. StateSize is mamba_d_state, ConvKernel mamba_d_conv, Expand
// mamba_expand, UseBias mamba_proj_bias, UseConvBias mamba_conv_bias, LayerNormEpsilon rms_norm_eps.
type GraniteHybridConfig struct {
	notInOld
	Common
	Layers []Block // the first block of each layer: BlockMamba2 or BlockAttention
	Mixer2
	QueryHeads
	TimeStepLimit [2]float64 // dt is clamped to it after the softplus; (0, +Inf) changes nothing

	AttentionBias     bool    // of all four projections
	PositionEmbedding string  // "rope", or nothing else: "nope", or empty for null
	Rope              Rope    // counts with "rope"
	IntermediateSize  int     // of an expert, and of nothing else
	SharedSize        int     // shared_intermediate_size, the SwiGLU of every layer
	NumLocalExperts   int     // E; 0: none
	NumExpertsPerTok  int     // k
	EmbeddingScale    float64 // embedding_multiplier
	ResidualScale     float64 // residual_multiplier, of what every block adds
	AttentionScale    float64 // attention_multiplier, of scores
	LogitsScaling     float64 // a divisor
}

// NewGraniteHybrid returns the defaults of transformers 5.24.
func NewGraniteHybrid() *GraniteHybridConfig {
	c := &GraniteHybridConfig{
		notInOld: notInOld{GraniteHybrid},
		Common: hybridDefaults(Common{
			Architectures:    []string{"GraniteMoeHybridForCausalLM"},
			VocabSize:        32000,
			HiddenSize:       4096,
			StateSize:        256,
			NumHiddenLayers:  32,
			LayerNormEpsilon: 1e-6,
		}),
		Layers:           repeated(BlockMamba2, 32),
		Mixer2:           Mixer2{MambaNumHeads: 128, MambaHeadDim: 64, NGroups: 1, ChunkSize: 256},
		QueryHeads:       QueryHeads{NumAttentionHeads: 32, NumKeyValueHeads: 32, HeadDim: 128},
		TimeStepLimit:    noLimit,
		Rope:             Rope{Theta: defaultTheta},
		IntermediateSize: 11008,
		SharedSize:       1024,
		NumLocalExperts:  8,
		NumExpertsPerTok: 2,
		EmbeddingScale:   1,
		ResidualScale:    1,
		AttentionScale:   1,
		LogitsScaling:    1,
	}
	c.PadTokenID = nil
	return c
}

var entryGraniteHybrid = entry{
	family:  GraniteHybrid,
	title:   "Granite 4.0",
	classes: []string{"GraniteMoeHybridForCausalLM", "GraniteMoeHybridModel"},
	fresh:   func() Config { return NewGraniteHybrid() },
	aliases: map[string]string{keyLayers: keyLayerTypes},
	hybrid:  true,
	gguf:    llamaCpp{writable: graniteWritable, hybrid: &graniteGGUF},
	mlx:     mlxGranite,
}

const keyLayerTypes = "layer_types"

var graniteKinds = []Block{BlockMamba2, BlockAttention}

// Family returns GraniteHybrid.
func (c *GraniteHybridConfig) Family() Family { return GraniteHybrid }

// ConvChannels implements Config.
func (c *GraniteHybridConfig) ConvChannels() int { return c.convolved(c.StateSize) }

// Positions reports whether the model uses a rotary embedding.
func (c *GraniteHybridConfig) Positions() bool { return c.PositionEmbedding == "rope" }

// Validate implements Config.
func (c *GraniteHybridConfig) Validate() error {
	return validate(c,
		func() error { return c.checkLayers(keyLayerTypes, c.Layers) },
		func() error { return c.Mixer2.checkExpanded(&c.Common) },
		c.QueryHeads.check,
		c.checkFactors,
		c.checkSize,
	)
}

// checkFactors reports positions, a divisor and a number of experts that cannot be.
func (c *GraniteHybridConfig) checkFactors() error {
	if c.Positions() {
		if err := c.Rope.check(c.HeadDim); err != nil {
			return err
		}
	}
	if c.LogitsScaling == 0 {
		return formatError("logits_scaling", "found 0, expected a number to divide by")
	}
	if c.NumLocalExperts > 0 && c.NumExpertsPerTok > c.NumLocalExperts {
		return formatError("num_experts_per_tok", "found %d, expected at most num_local_experts %d", c.NumExpertsPerTok, c.NumLocalExperts)
	}
	return nil
}

// checkSize bounds the weights and the states of one sequence together.
func (c *GraniteHybridConfig) checkSize() error {
	d := float64(c.HiddenSize)
	of := map[Block]float64{
		BlockMamba2:    c.Mixer2.weights(d, float64(c.StateSize), float64(c.ConvKernel)),
		BlockAttention: c.QueryHeads.weights(d),
	}
	sum := 2 * float64(c.VocabSize) * d
	for _, b := range c.Layers {
		sum += of[b] + d*(3*float64(c.SharedSize)+1) + float64(c.NumLocalExperts)*d*(3*float64(c.IntermediateSize)+1)
	}
	return checkBytes(sum)
}

// Clone implements Config.
func (c *GraniteHybridConfig) Clone() Config {
	d := copyOf(c)
	d.Layers = slices.Clone(c.Layers)
	return d
}

// EncodeHF implements Config.
func (c *GraniteHybridConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *GraniteHybridConfig) Layer(i int) []Block {
	feed := BlockSwiGLU
	if c.NumLocalExperts > 0 {
		feed = BlockSwiGLUMoE
	}
	return blockOf(c.Layers, i, feed)
}

// Summary implements Config.
func (c *GraniteHybridConfig) Summary() string {
	s := mixerWords(c, &c.Mixer2) + fmt.Sprintf("%s, shared_intermediate_size %d", c.words(), c.SharedSize)
	if c.NumLocalExperts > 0 {
		s += fmt.Sprintf(", %d experts of %d, %d for each token", c.NumLocalExperts, c.IntermediateSize, c.NumExpertsPerTok)
	}
	return s
}

func (c *GraniteHybridConfig) fields() []field {
	mixers, attention := hasBlock(c, BlockMamba2), hasBlock(c, BlockAttention)
	layers := layersField(keyLayerTypes, &c.Layers, graniteKinds...).deciding(Results)
	return slices.Concat(c.QueryHeads.fields(attention), c.modelFields("rms_norm_eps", c.depthField(), layers), []field{
		c.siluField("hidden_act"),
		c.tiedField(),

		c.headDimField().deciding(Results).counting(attention), // the shapes show its products with the heads
		boolField("attention_bias", &c.AttentionBias).deciding(Tensors),
		positionField("position_embedding_type", &c.PositionEmbedding).deciding(Results).counting(attention),
		ropeField("rope_parameters", &c.Rope, c.Positions).deciding(Results).counting(attention),
		scaleField("embedding_multiplier", &c.EmbeddingScale).deciding(Results),
		scaleField("residual_multiplier", &c.ResidualScale).deciding(Results),
		scaleField("attention_multiplier", &c.AttentionScale).deciding(Results).counting(attention),
		scaleField("logits_scaling", &c.LogitsScaling).deciding(Results),

		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors).counting(c.NumLocalExperts > 0),
		intField("shared_intermediate_size", &c.SharedSize, 1, maxWidth).deciding(Tensors),
		intField("num_local_experts", &c.NumLocalExperts, 0, maxInner).deciding(Tensors),
		intField("num_experts_per_tok", &c.NumExpertsPerTok, 0, maxInner).deciding(Results).counting(c.NumLocalExperts > 0),
	}, c.Mixer2.fields(&c.Common, &c.TimeStepLimit, mixers, mixers), c.runFields())
}

func (c *GraniteHybridConfig) handles() []handle {
	return slices.Concat(c.sizes(), c.Mixer2.handles(), c.QueryHeads.handles(), []handle{
		size("F", &c.IntermediateSize), size("S", &c.SharedSize), size("E", &c.NumLocalExperts),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle("attention_bias", &c.AttentionBias),
		toggle(keyTied, &c.TieWordEmbeddings),
	})
}

func (c *GraniteHybridConfig) settle(shown Sizes) {
	c.fitExpand(shown["I"])
	c.Mixer2.settle(shown, &c.StateSize)
}

func (c *GraniteHybridConfig) parse(keys jsonobj.Members) error {
	if odd := oddLayer(keys, keyLayerTypes, graniteKinds...); odd != "" {
		return formatError(keyLayerTypes, `%s, expected "linear_attention" (or "mamba") or "full_attention" (or "attention")`, odd)
	}
	c.MambaHeadDim, c.NumKeyValueHeads = rankAuto, 0
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	if err := c.Rope.settle(keys, c.Positions()); err != nil {
		return err
	}
	if !has(keys, keyLayerTypes) && 0 < c.NumHiddenLayers && c.NumHiddenLayers <= maxLayers {
		c.Layers = repeated(BlockMamba2, c.NumHiddenLayers)
	}
	c.QueryHeads.complete(c.HiddenSize)
	if err := c.Mixer2.divide(c.expanded()); err != nil {
		return err
	}
	return c.Validate()
}
