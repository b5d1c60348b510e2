package config

import (
	"fmt"

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
	pad, bos := 0, 1
	c := &ZambaConfig{
		notInOld: notInOld{Zamba},
		Common: Common{
			Architectures:     []string{"ZambaForCausalLM"},
			VocabSize:         32000,
			HiddenSize:        3712,
			StateSize:         16,
			NumHiddenLayers:   76,
			LayerNormEpsilon:  1e-5,
			PadTokenID:        &pad,
			BosTokenID:        &bos,
			EosTokenID:        TokenIDs{IDs: []int{2}},
			Expand:            2,
			ConvKernel:        4,
			UseConvBias:       true,
			HiddenAct:         "silu",
			InitializerRange:  0.02,
			TimeStepMin:       0.001,
			TimeStepMax:       0.1,
			TimeStepFloor:     1e-4,
			UseCache:          true,
			TieWordEmbeddings: true,
		},
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
	hybrid:  true,
	gguf:    llamaCpp{writable: notInGGUF},
}

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
	fields := c.fields()
	if err := checkFields(fields); err != nil {
		return err
	}
	if len(c.Layers) != c.NumHiddenLayers {
		return formatError(keyLayers, "found %s, expected num_hidden_layers %d", badfile.Count(len(c.Layers), "layer"), c.NumHiddenLayers)
	}
	inner, err := c.expanded()
	switch {
	case err != nil:
		return err
	case inner%c.NumMambaHeads != 0:
		return formatError("n_mamba_heads", "found %d, which does not divide mamba_expand*hidden_size = %d", c.NumMambaHeads, inner)
	case c.AttentionSize != 2*c.HiddenSize:
		return formatError("attention_hidden_size", "found %d, expected 2*hidden_size = %d: attention reads the stream and the embeddings", c.AttentionSize, 2*c.HiddenSize)
	}
	if err := c.QueryHeads.check(); err != nil {
		return err
	}
	d, i, hybrid := float64(c.HiddenSize), float64(inner), float64(countBlocks(c.Layers, BlockSharedAttention))
	selected := float64(c.TimeStepRank) + 2*float64(c.StateSize)
	mixer := d*(3*i+1) + i*(float64(c.ConvKernel)*2+3*float64(c.StateSize)+2*selected+4)
	shared := 2*c.QueryHeads.weights(d) + d*(3*float64(c.IntermediateSize)+4+d) + 2*float64(c.HeadDim)*float64(c.NumKeyValueHeads)
	if err := checkBytes(2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*mixer + hybrid*shared); err != nil {
		return err
	}
	return checkExtra(c.Extra, fields)
}

// Clone implements Config.
func (c *ZambaConfig) Clone() Config {
	d := *c
	d.Common = c.Common.clone()
	d.Layers = append([]Block(nil), c.Layers...)
	return &d
}

// EncodeHF implements Config.
func (c *ZambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Blocks implements Config.
func (c *ZambaConfig) Blocks() [][]Block { return blocksOfZamba(c.Layers, BlockJoinedZamba) }

// blocksOfZamba are the blocks of layers that are a mixer, or hybrid: a shared block, a projection, and a mixer that reads what they give.
func blocksOfZamba(layers []Block, joined Block) [][]Block {
	list := make([][]Block, len(layers))
	for i, b := range layers {
		if list[i] = []Block{b}; b == BlockSharedAttention {
			list[i] = []Block{b, BlockSharedMLP, BlockLinear, joined}
		}
	}
	return list
}

// shared implements sharer: there is one block, which transformers ties if tie_word_embeddings is true.
func (c *ZambaConfig) shared() map[int]Shared { return sharedIn(c.Layers, 1, c.TieWordEmbeddings) }

// Summary implements Config.
func (c *ZambaConfig) Summary() string {
	return fmt.Sprintf("dt_rank %d, %s of %d, %s, intermediate_size %d, ", c.TimeStepRank, badfile.Count(c.NumMambaHeads, "head"), c.DInner()/c.NumMambaHeads,
		c.words(), c.IntermediateSize) + sharedWords(c)
}

func (c *ZambaConfig) fields() []field {
	shared := countBlocks(c.Layers, BlockSharedAttention) > 0
	return append(c.QueryHeads.fields(shared),
		classesField("architectures", &c.Architectures).deciding(Nothing),
		intField("vocab_size", &c.VocabSize, 1, maxWidth).deciding(Tensors),
		intField("hidden_size", &c.HiddenSize, 1, maxWidth/2).deciding(Tensors),
		intField("num_hidden_layers", &c.NumHiddenLayers, 1, maxLayers).deciding(Tensors),
		layersField(keyLayers, &c.Layers, zambaKinds...).deciding(Results),
		intField("attn_layer_period", &c.Period, 1, maxLayers).deciding(Nothing), // the list has what follows from it
		intField("attn_layer_offset", &c.Offset, 0, maxLayers).deciding(Nothing),
		epsilonField("rms_norm_eps", &c.LayerNormEpsilon).deciding(Results),
		idField("pad_token_id", &c.PadTokenID).deciding(Nothing),
		idField("bos_token_id", &c.BosTokenID).deciding(Nothing),
		idsField(KeyEOS, &c.EosTokenID).deciding(Nothing),
		boolField("tie_word_embeddings", &c.TieWordEmbeddings).deciding(Tensors),

		statedIntField("attention_hidden_size", &c.AttentionSize, &c.AttentionStated).deciding(Nothing), // there is one
		statedIntField("attention_head_dim", &c.HeadDim, &c.HeadDimStated).deciding(Results).counting(shared),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors).counting(shared),
		gatedField("hidden_act", &c.Activation).deciding(Results).counting(shared),
		activationField("hidden_mamba_act", &c.HiddenAct).deciding(Nothing), // there is one activation, under two names

		intField("n_mamba_heads", &c.NumMambaHeads, 1, maxWidth).deciding(Tensors),
		intField("mamba_d_state", &c.StateSize, 1, maxInner).deciding(Tensors),
		intField("mamba_d_conv", &c.ConvKernel, 1, maxInner).deciding(Tensors),
		intField("mamba_expand", &c.Expand, 1, maxInner).deciding(Tensors),
		rankField("mamba_dt_rank", &c.TimeStepRank).deciding(Tensors),
		boolField("mamba_conv_bias", &c.UseConvBias).deciding(Tensors),
		boolField("mamba_proj_bias", &c.UseBias).deciding(Tensors),
		floatField("time_step_min", &c.TimeStepMin).deciding(Nothing),
		floatField("time_step_max", &c.TimeStepMax).deciding(Nothing),
		floatField("time_step_floor", &c.TimeStepFloor).deciding(Nothing),

		floatField("initializer_range", &c.InitializerRange).deciding(Nothing),
		boolField("use_cache", &c.UseCache).deciding(Nothing),
		optionalBoolField("output_hidden_states", &c.OutputHiddenStates).deciding(Nothing),
		dtypeField("torch_dtype", &c.DType).deciding(Nothing),
		dtypeAliasField("dtype", &c.DType).deciding(Nothing),
	)
}

func (c *ZambaConfig) handles() []handle {
	queries, keys := c.widths()
	dim := c.DInner()
	if c.NumMambaHeads > 0 {
		dim /= c.NumMambaHeads
	}
	return []handle{
		size("V", &c.VocabSize), size("D", &c.HiddenSize), size("L", &c.NumHiddenLayers), size("N", &c.StateSize), size("K", &c.ConvKernel),
		size("H", &c.NumMambaHeads), size("P", &dim), size("R", &c.TimeStepRank), size("Q", &queries), size("KV", &keys), size("F", &c.IntermediateSize),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle("tie_word_embeddings", &c.TieWordEmbeddings),
	}
}

func (c *ZambaConfig) settle(shown Sizes) {
	c.fitExpand(shown["H"] * shown["P"])
	c.AttentionSize = 2 * c.HiddenSize
	if !c.HeadDimStated && c.NumAttentionHeads > 0 {
		c.HeadDim = c.AttentionSize / c.NumAttentionHeads
	}
}

func (c *ZambaConfig) parse(keys jsonobj.Members) error {
	keys = respelled(keys, zamba2Aliases)
	if odd := oddLayer(keys, keyLayers, zambaKinds...); odd != "" {
		return formatError(keyLayers, `%s, expected "linear_attention" (or "mamba") or "hybrid"`, odd)
	}
	c.TimeStepRank = rankAuto
	if _, err := decode(withoutNull(keys, "attention_hidden_size", "attention_head_dim"), c.fields(), &c.Common); err != nil {
		return err
	}
	if !has(keys, keyLayers) {
		c.Layers = c.usual()
	}
	if c.TimeStepRank == rankAuto {
		c.TimeStepRank = (c.HiddenSize + 15) / 16
	}
	if !c.AttentionStated {
		c.AttentionSize = 2 * c.HiddenSize
	}
	if !c.HeadDimStated && c.NumAttentionHeads > 0 {
		c.HeadDim = 2 * c.HiddenSize / c.NumAttentionHeads
	}
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
