package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// ZambaConfig mirrors the class ZambaConfig of transformers 5.24 (models/zamba/configuration_zamba.py): layers of Mamba-1 by heads,
// before some of which attention and an MLP, the same in all of them, add to what the mixer reads. StateSize is mamba_d_state,
// ConvKernel mamba_d_conv, Expand mamba_expand, UseBias mamba_proj_bias, UseConvBias mamba_conv_bias, HiddenAct hidden_mamba_act,
// LayerNormEpsilon rms_norm_eps.
type ZambaConfig struct {
	notInOld
	Common
	Layers []Block // BlockZamba, or BlockSharedAttention for a hybrid layer
	QueryHeads
	NumMambaHeads   int // H
	TimeStepRank    int // R
	AttentionSize   int // attention_hidden_size: 2·D
	AttentionStated bool

	IntermediateSize int    // F
	Activation       string // hidden_act, of the MLP: "gelu", or "silu" alias "swish"

	// Period and Offset say which layers are hybrid if no list does: of those from the fourth on, counted from 0. The third is.
	Period, Offset int
}

// NewZamba returns the defaults of transformers 5.24.
func NewZamba() *ZambaConfig {
	c := &ZambaConfig{
		notInOld: notInOld{Zamba},
		Common: hybridDefaults(Common{
			Architectures:     []string{"ZambaForCausalLM"},
			VocabSize:         32000,
			HiddenSize:        3712,
			StateSize:         16,
			NumHiddenLayers:   76,
			LayerNormEpsilon:  1e-5,
			TieWordEmbeddings: true,
		}),
		QueryHeads:       QueryHeads{NumAttentionHeads: 16, NumKeyValueHeads: 16, HeadDim: 464},
		NumMambaHeads:    2,
		TimeStepRank:     232,
		AttentionSize:    7424,
		IntermediateSize: 14848,
		Activation:       "gelu",
		Period:           6,
		Offset:           4,
	}
	c.Layers = c.usual()
	return c
}

var entryZamba = entry{
	family:  Zamba,
	title:   "Zamba",
	classes: []string{"ZambaForCausalLM", "ZambaModel"},
	fresh:   func() Config { return NewZamba() },
	aliases: zambaAliases,
	hybrid:  true,
	gguf:    llamaCpp{writable: notInGGUF},
}

// zambaAliases are those of both classes.
var zambaAliases = map[string]string{keyLayerTypes: keyLayers, "head_dim": "attention_head_dim"}

// zambaKinds are the kinds of layers of a list, "mamba" and "hybrid".
var zambaKinds = []Block{BlockZamba, BlockSharedAttention}

// usual returns the layers without a list.
func (c *ZambaConfig) usual() []Block {
	list := repeated(BlockZamba, max(3, min(c.NumHiddenLayers, maxLayers)))
	for i := range list {
		if i == 2 || i > 2 && c.Period > 0 && (i-3)%c.Period == c.Offset {
			list[i] = BlockSharedAttention
		}
	}
	return list
}

// Family returns Zamba.
func (c *ZambaConfig) Family() Family { return Zamba }

// DInner returns mamba_expand*hidden_size, which n_mamba_heads divides.
func (c *ZambaConfig) DInner() int { return c.Expand * c.HiddenSize }

// ConvChannels returns DInner.
func (c *ZambaConfig) ConvChannels() int { return c.DInner() }

// Validate implements Config.
func (c *ZambaConfig) Validate() error {
	return validate(c,
		func() error { return c.checkLayers(keyLayers, c.Layers) },
		c.checkHeads,
		c.QueryHeads.check,
		c.checkSize,
	)
}

// checkHeads reports heads that do not make up their channels.
func (c *ZambaConfig) checkHeads() error {
	inner, err := c.expanded()
	switch {
	case err != nil:
		return err
	case inner%c.NumMambaHeads != 0:
		return formatError("n_mamba_heads", "found %d, which does not divide mamba_expand*hidden_size = %d", c.NumMambaHeads, inner)
	case c.AttentionSize != 2*c.HiddenSize:
		return formatError("attention_hidden_size", "found %d, expected 2*hidden_size = %d: attention reads the stream and the embeddings", c.AttentionSize, 2*c.HiddenSize)
	}
	return nil
}

// checkSize bounds the weights and the states of one sequence together.
func (c *ZambaConfig) checkSize() error {
	d, i, hybrid := float64(c.HiddenSize), float64(c.DInner()), float64(len(layersWith(c, BlockSharedAttention)))
	selected := float64(c.TimeStepRank) + 2*float64(c.StateSize)
	mixer := d*(3*i+1) + i*(float64(c.ConvKernel)*2+3*float64(c.StateSize)+2*selected+4)
	shared := 2*c.QueryHeads.weights(d) + d*(3*float64(c.IntermediateSize)+4+d) + 2*float64(c.HeadDim)*float64(c.NumKeyValueHeads)
	return checkBytes(2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*mixer + hybrid*shared)
}

// Clone implements Config.
func (c *ZambaConfig) Clone() Config {
	d := copyOf(c)
	d.Layers = slices.Clone(c.Layers)
	return d
}

// EncodeHF implements Config.
func (c *ZambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *ZambaConfig) Layer(i int) []Block { return layerOfZamba(c.Layers, i, BlockJoinedZamba) }

// layerOfZamba returns the blocks of a layer that is a mixer, or hybrid: a shared block, a projection, and a mixer that reads what
// they give.
func layerOfZamba(layers []Block, i int, joined Block) []Block {
	if i < len(layers) && layers[i] == BlockSharedAttention {
		return blockOf(layers, i, BlockSharedMLP, BlockLinear, joined)
	}
	return blockOf(layers, i)
}

// shared implements sharer: there is one block, which transformers ties if tie_word_embeddings is true.
func (c *ZambaConfig) shared() map[int]Shared { return sharedIn(c, 1, c.TieWordEmbeddings) }

// Summary implements Config.
func (c *ZambaConfig) Summary() string {
	return fmt.Sprintf("dt_rank %d, %s of %d, %s, intermediate_size %d, ", c.TimeStepRank, badfile.Count(c.NumMambaHeads, "head"), c.DInner()/c.NumMambaHeads,
		c.words(), c.IntermediateSize) + sharedWords(c)
}

func (c *ZambaConfig) fields() []field {
	shared := hasBlock(c, BlockSharedAttention)
	layers := []field{
		c.depthField(),
		layersField(keyLayers, &c.Layers, zambaKinds...).deciding(Results),
		intField("attn_layer_period", &c.Period, 1, maxLayers).deciding(Nothing), // the list has what follows from it
		intField("attn_layer_offset", &c.Offset, 0, maxLayers).deciding(Nothing),
	}
	return slices.Concat(c.QueryHeads.fields(shared), c.modelFields("rms_norm_eps", layers...), []field{
		c.tiedField(),
		statedIntField("attention_hidden_size", &c.AttentionSize, &c.AttentionStated).deciding(Nothing), // there is one
		statedIntField("attention_head_dim", &c.HeadDim, &c.HeadDimStated).deciding(Results).counting(shared),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors).counting(shared),
		gatedField("hidden_act", &c.Activation).deciding(Results).counting(shared),
		c.siluField("hidden_mamba_act"),
		intField("n_mamba_heads", &c.NumMambaHeads, 1, maxWidth).deciding(Tensors),
	}, c.mixer1Fields(&c.TimeStepRank, true), []field{
		floatField("time_step_min", &c.TimeStepMin).deciding(Nothing),
		floatField("time_step_max", &c.TimeStepMax).deciding(Nothing),
		floatField("time_step_floor", &c.TimeStepFloor).deciding(Nothing),
	}, c.runFields())
}

func (c *ZambaConfig) handles() []handle {
	dim := c.DInner()
	if c.NumMambaHeads > 0 {
		dim /= c.NumMambaHeads
	}
	return slices.Concat(c.sizes(), c.QueryHeads.handles(), []handle{
		size("H", &c.NumMambaHeads), size("P", &dim), size("R", &c.TimeStepRank), size("F", &c.IntermediateSize),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle(keyTied, &c.TieWordEmbeddings),
	})
}

func (c *ZambaConfig) settle(shown Sizes) {
	c.fitExpand(shown["H"] * shown["P"])
	c.AttentionSize = 2 * c.HiddenSize
	c.QueryHeads.divide(c.AttentionSize)
}

func (c *ZambaConfig) parse(keys jsonobj.Members) error {
	if odd := oddLayer(keys, keyLayers, zambaKinds...); odd != "" {
		return formatError(keyLayers, `%s, expected "linear_attention" (or "mamba") or "hybrid"`, odd)
	}
	c.TimeStepRank = rankAuto
	if _, err := decode(withoutNull(keys, "attention_hidden_size", "attention_head_dim"), c.fields(), &c.Common); err != nil {
		return err
	}
	if !has(keys, keyLayers) {
		c.Layers = c.usual()
		if err := c.checkDefaultLayers(c.Layers); err != nil {
			return err
		}
	}
	if c.TimeStepRank == rankAuto {
		c.TimeStepRank = (c.HiddenSize + 15) / 16
	}
	if !c.AttentionStated {
		c.AttentionSize = 2 * c.HiddenSize
	}
	c.QueryHeads.divide(2 * c.HiddenSize)
	return c.Validate()
}

// withoutNull leaves out keys that are null, for which a class has values of its own.
func withoutNull(keys jsonobj.Members, names ...string) jsonobj.Members {
	var list jsonobj.Members
	for _, m := range keys {
		null := false
		for _, name := range names {
			null = null || m.Key == name && m.Value.Kind() == jsonobj.Null
		}
		if !null {
			list = append(list, m)
		}
	}
	return list
}
