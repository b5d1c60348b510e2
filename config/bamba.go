package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
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

// DInner returns mamba_n_heads*mamba_d_head, which Validate makes sure is mamba_expand*hidden_size.
func (c *BambaConfig) DInner() int { return c.inner() }

// ConvChannels returns C, the channels of the convolution: those of x, of B and of C, in this order.
func (c *BambaConfig) ConvChannels() int { return c.inner() + 2*c.NGroups*c.StateSize }

// layers returns the first block of each layer.
func (c *BambaConfig) layers() []Block {
	list := repeated(BlockMamba2, max(0, min(c.NumHiddenLayers, maxLayers)))
	for _, i := range c.AttentionLayers {
		if 0 <= i && i < len(list) {
			list[i] = BlockAttention
		}
	}
	return list
}

// Validate implements Config.
func (c *BambaConfig) Validate() error {
	fields := c.fields()
	if err := checkFields(fields); err != nil {
		return err
	}
	inner, err := c.expanded()
	if err != nil {
		return err
	}
	if err := c.Mixer2.checkInner(inner, "mamba_expand*hidden_size"); err != nil {
		return err
	}
	if err := c.Mixer2.check("mamba_n_heads", "mamba_n_groups", c.StateSize); err != nil {
		return err
	}
	if err := c.QueryHeads.check(); err != nil {
		return err
	}
	layers, d := c.layers(), float64(c.HiddenSize)
	attention := countBlocks(layers, BlockAttention)
	if attention > 0 {
		if err := c.Rope.check(c.HeadDim); err != nil {
			return err
		}
	}
	sum := 2*float64(c.VocabSize)*d + float64(attention)*c.QueryHeads.weights(d) + float64(len(layers))*3*(d+1)*float64(c.IntermediateSize)
	sum += float64(len(layers)-attention) * c.Mixer2.weights(d, float64(c.StateSize), float64(c.ConvKernel))
	if err := checkBytes(sum); err != nil {
		return err
	}
	return checkExtra(c.Extra, fields)
}

// Clone implements Config.
func (c *BambaConfig) Clone() Config {
	d := *c
	d.Common = c.Common.clone()
	d.AttentionLayers = slices.Clone(c.AttentionLayers)
	return &d
}

// EncodeHF implements Config.
func (c *BambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Blocks implements Config.
func (c *BambaConfig) Blocks() [][]Block {
	layers := c.layers()
	list := make([][]Block, len(layers))
	for i, b := range layers {
		list[i] = []Block{b, BlockSwiGLU}
	}
	return list
}

// Summary implements Config.
func (c *BambaConfig) Summary() string {
	return mixerWords(c, &c.Mixer2) + fmt.Sprintf("%s, intermediate_size %d", c.words(), c.IntermediateSize)
}

func (c *BambaConfig) fields() []field {
	layers := c.layers()
	mixers, attention := countBlocks(layers, BlockMamba2) > 0, countBlocks(layers, BlockAttention) > 0
	fields := append(c.QueryHeads.fields(attention),
		classesField("architectures", &c.Architectures).deciding(Nothing),
		intField("vocab_size", &c.VocabSize, 1, maxWidth).deciding(Tensors),
		intField("hidden_size", &c.HiddenSize, 1, maxWidth).deciding(Tensors),
		intField("num_hidden_layers", &c.NumHiddenLayers, 1, maxLayers).deciding(Tensors),
		c.attentionField().deciding(Results),
		epsilonField("rms_norm_eps", &c.LayerNormEpsilon).deciding(Results),
		activationField("hidden_act", &c.HiddenAct).deciding(Nothing), // there is one activation, under two names
		idField("pad_token_id", &c.PadTokenID).deciding(Nothing),
		idField("bos_token_id", &c.BosTokenID).deciding(Nothing),
		idsField(KeyEOS, &c.EosTokenID).deciding(Nothing),
		boolField("tie_word_embeddings", &c.TieWordEmbeddings).deciding(Tensors),

		c.headDimField().deciding(Results).counting(attention), // the shapes show its products with the heads
		boolField("attention_bias", &c.AttentionBias).deciding(Tensors),
		ropeField("rope_parameters", &c.Rope, func() bool { return attention }).deciding(Results),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors),
		boolField("mlp_bias", &c.MLPBias).deciding(Tensors),
	)
	fields = append(fields, c.Mixer2.fields(&c.Common, &c.TimeStepLimit, mixers, mixers)...)
	return append(fields, c.runFields()...)
}

// attentionField lists the layers that have attention. Those that the model does not have count for nothing.
func (c *BambaConfig) attentionField() field {
	p := &c.AttentionLayers
	list := func(layers []int) string {
		words := make([]string, len(layers))
		for i, n := range layers {
			words[i] = strconv.Itoa(n)
		}
		return "[" + strings.Join(words, ",") + "]"
	}
	return field{
		key: "attn_layer_indices",
		decode: func(v jsonobj.Value) bool {
			*p = nil
			elems, ok := v.Elems(maxLayers)
			for _, e := range elems {
				n, isInt := e.Int()
				if !isInt {
					return false
				}
				*p = append(*p, n)
			}
			return ok || v.Kind() == jsonobj.Null
		},
		check: func() bool { return len(*p) <= maxLayers },
		found: func() string { return badfile.Count(len(*p), "layer") },
		want:  fmt.Sprintf("a list of at most %d numbers of layers, or null", maxLayers),
		text: func() string {
			if len(*p) == 0 {
				return "null"
			}
			return list(*p)
		},
		same: func() string {
			var there []int
			for i, b := range c.layers() {
				if b == BlockAttention {
					there = append(there, i)
				}
			}
			return list(there)
		},
	}
}

func (c *BambaConfig) handles() []handle {
	queries, keys := c.widths()
	turned := c.turnedInGGUF()
	return append(c.Mixer2.handles(),
		size("V", &c.VocabSize), size("D", &c.HiddenSize), size("L", &c.NumHiddenLayers), size("N", &c.StateSize), size("K", &c.ConvKernel),
		size("Q", &queries), size("KV", &keys), size("q", &c.NumAttentionHeads), size("kv", &c.NumKeyValueHeads), size("F", &c.IntermediateSize),
		size("T", &turned),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle("attention_bias", &c.AttentionBias),
		toggle("mlp_bias", &c.MLPBias), toggle("tie_word_embeddings", &c.TieWordEmbeddings),
	)
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
	if err := c.Rope.settle(keys, countBlocks(c.layers(), BlockAttention) > 0); err != nil {
		return err
	}
	c.QueryHeads.complete(c.HiddenSize)
	if c.MambaHeadDim == rankAuto && c.MambaNumHeads > 0 {
		inner, err := c.expanded()
		if err != nil {
			return err
		}
		c.MambaHeadDim = inner / c.MambaNumHeads
	}
	return c.Validate()
}
