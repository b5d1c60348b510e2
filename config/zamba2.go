package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Zamba2Config mirrors the class Zamba2Config of transformers 5.24 (models/zamba2/configuration_zamba2.py): layers of Mamba-2, before
// some of which attention and an MLP, shared by several layers, add to what the mixer reads. StateSize is mamba_d_state, ConvKernel
// mamba_d_conv, Expand mamba_expand, UseBias add_bias_linear, LayerNormEpsilon rms_norm_eps, which the norm inside a mixer does not
// follow. The convolution always has a bias. Keys that the class has and ignores, such as use_conv_bias, are extra keys here.
type Zamba2Config struct {
	notInOld
	Common         // TimeStepMin is a lower limit of dt in full passes of transformers on a CPU, and of no other program
	Layers []Block // BlockMamba2, or BlockSharedAttention for a hybrid layer
	Mixer2
	QueryHeads // HeadDim is 2·D/q unless it is stated

	IntermediateSize int    // F
	Activation       string // hidden_act, of the MLP: "gelu", or "silu" alias "swish"
	NumMemBlocks     int    // blocks that are shared: hybrid layer j, counted among these, has the one of j % NumMemBlocks
	AttentionAdapter bool   // use_shared_attention_adapter
	AdapterRank      int    // r, of the products that each hybrid layer has of its own
	UseMemRope       bool
	Rope             Rope // counts with use_mem_rope
}

// NewZamba2 returns the defaults of transformers 5.24.
func NewZamba2() *Zamba2Config {
	c := &Zamba2Config{
		notInOld: notInOld{Zamba2},
		Common: hybridDefaults(Common{
			Architectures:     []string{"Zamba2ForCausalLM"},
			VocabSize:         32000,
			HiddenSize:        2560,
			StateSize:         64,
			NumHiddenLayers:   54,
			LayerNormEpsilon:  1e-5,
			TieWordEmbeddings: true,
		}),
		Layers:           repeated(BlockMamba2, 54),
		Mixer2:           Mixer2{MambaNumHeads: 8, MambaHeadDim: 640, NGroups: 1, ChunkSize: 256},
		QueryHeads:       QueryHeads{NumAttentionHeads: 32, NumKeyValueHeads: 32, HeadDim: 160},
		IntermediateSize: 10240,
		Activation:       "gelu",
		NumMemBlocks:     1,
		AdapterRank:      128,
		Rope:             Rope{Theta: defaultTheta},
	}
	for _, l := range []int{6, 12, 18, 24, 30, 36, 42, 47, 51} {
		c.Layers[l] = BlockSharedAttention
	}
	return c
}

var entryZamba2 = entry{
	family:  Zamba2,
	title:   "Zamba2",
	classes: []string{"Zamba2ForCausalLM", "Zamba2Model"},
	fresh:   func() Config { return NewZamba2() },
	aliases: zambaAliases,
	hybrid:  true,
	gguf:    llamaCpp{writable: notInGGUF},
}

// zamba2Kinds are the kinds of layers of a list, "mamba" and "hybrid".
var zamba2Kinds = []Block{BlockMamba2, BlockSharedAttention}

// Family returns Zamba2.
func (c *Zamba2Config) Family() Family { return Zamba2 }

// ConvChannels implements Config.
func (c *Zamba2Config) ConvChannels() int { return c.convolved(c.StateSize) }

// Validate implements Config.
func (c *Zamba2Config) Validate() error {
	return validate(c,
		func() error { return c.checkLayers(keyLayers, c.Layers) },
		c.checkHeads,
		c.QueryHeads.check,
		c.checkShared,
		c.checkSize,
	)
}

// checkHeads reports heads that do not make up their channels.
func (c *Zamba2Config) checkHeads() error {
	inner, err := c.expanded()
	if err != nil {
		return err
	}
	if int64(c.MambaNumHeads)*int64(c.MambaHeadDim) != int64(inner) {
		return formatError("n_mamba_heads", "found %d heads of %d channels, expected mamba_expand*hidden_size = %d", c.MambaNumHeads, c.MambaHeadDim, inner)
	}
	return c.Mixer2.check("n_mamba_heads", "mamba_ngroups", c.StateSize)
}

// checkShared reports sizes of a shared block that do not fit together.
func (c *Zamba2Config) checkShared() error {
	if queries, keys := c.widths(); c.AttentionAdapter && (queries != 2*c.HiddenSize || keys != queries) {
		return formatError("use_shared_attention_adapter", "found true with %d channels of queries and %d of keys, expected 2*hidden_size = %d of both", queries, keys, 2*c.HiddenSize)
	}
	if err := checkUses(c, c.NumMemBlocks, c.TieWordEmbeddings); err != nil {
		return err
	}
	if c.UseMemRope {
		return c.Rope.check(c.HeadDim)
	}
	return nil
}

// checkSize bounds the weights and the states of one sequence together.
func (c *Zamba2Config) checkSize() error {
	d, f, r, hybrid := float64(c.HiddenSize), float64(c.IntermediateSize), float64(c.AdapterRank), float64(len(layersWith(c, BlockSharedAttention)))
	blocks := min(float64(c.NumMemBlocks), hybrid)
	uses := hybrid
	if !c.TieWordEmbeddings {
		blocks, uses = hybrid, hybrid*hybrid // each layer has the products of all uses of its block
	}
	sum := 2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*c.Mixer2.weights(d, float64(c.StateSize), float64(c.ConvKernel))
	sum += blocks*(2*c.QueryHeads.weights(d)+d*(3*f+3)+3*f) + hybrid*(d*d+2*float64(c.HeadDim)*float64(c.NumKeyValueHeads))
	return checkBytes(sum + uses*r*(13*d+2*f))
}

// Clone implements Config.
func (c *Zamba2Config) Clone() Config {
	d := copyOf(c)
	d.Layers = slices.Clone(c.Layers)
	return d
}

// EncodeHF implements Config.
func (c *Zamba2Config) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *Zamba2Config) Layer(i int) []Block { return layerOfZamba(c.Layers, i, BlockJoinedMamba2) }

// shared implements sharer. The blocks are those that transformers ties, which it does if tie_word_embeddings is true.
func (c *Zamba2Config) shared() map[int]Shared {
	return sharedIn(c, c.NumMemBlocks, c.TieWordEmbeddings)
}

// Summary implements Config.
func (c *Zamba2Config) Summary() string {
	s := mixerWords(c, &c.Mixer2) + fmt.Sprintf("%s, intermediate_size %d, ", c.words(), c.IntermediateSize)
	return s + sharedWords(c)
}

func (c *Zamba2Config) fields() []field {
	shared := hasBlock(c, BlockSharedAttention)
	layers := layersField(keyLayers, &c.Layers, zamba2Kinds...).deciding(Results)
	return slices.Concat(c.QueryHeads.fields(shared), c.modelFields("rms_norm_eps", c.depthField(), layers), []field{
		c.tiedField(),
		statedIntField("attention_head_dim", &c.HeadDim, &c.HeadDimStated).deciding(Results).counting(shared), // the shapes show its products with the heads
		boolField("use_mem_rope", &c.UseMemRope).deciding(Results).counting(shared),
		ropeField("rope_parameters", &c.Rope, func() bool { return c.UseMemRope }).deciding(Results).counting(shared),
		nullableField(intField("intermediate_size", &c.IntermediateSize, 0, maxWidth), &c.IntermediateSize, 0).deciding(Tensors).counting(shared),
		gatedField("hidden_act", &c.Activation).deciding(Results).counting(shared),
		boolField("add_bias_linear", &c.UseBias).deciding(Tensors),
		intField("num_mem_blocks", &c.NumMemBlocks, 1, maxLayers).deciding(Results).counting(shared),
		boolField("use_shared_attention_adapter", &c.AttentionAdapter).deciding(Tensors).counting(shared),
		intField("adapter_rank", &c.AdapterRank, 1, maxWidth).deciding(Tensors).counting(shared),

		intField("n_mamba_heads", &c.MambaNumHeads, 1, maxWidth).deciding(Tensors),
		intField("mamba_ngroups", &c.NGroups, 1, maxInner).deciding(Results),
		intField("mamba_d_state", &c.StateSize, 1, maxInner).deciding(Results), // the shapes show its product with mamba_ngroups
		intField("mamba_d_conv", &c.ConvKernel, 1, maxInner).deciding(Tensors),
		intField("mamba_expand", &c.Expand, 1, maxInner).deciding(Tensors),
		intField("chunk_size", &c.ChunkSize, 1, maxWidth).deciding(Nothing),
		epsilonField("time_step_min", &c.TimeStepMin).deciding(Nothing), // of what was trained; see Zamba2Config
		floatField("time_step_max", &c.TimeStepMax).deciding(Nothing),
		floatField("time_step_floor", &c.TimeStepFloor).deciding(Nothing),
	}, c.runFields())
}

func (c *Zamba2Config) handles() []handle {
	return slices.Concat(c.sizes(), c.Mixer2.handles(), c.QueryHeads.handles(), []handle{
		size("F", &c.IntermediateSize), size("r", &c.AdapterRank),
		toggle("add_bias_linear", &c.UseBias), toggle("use_shared_attention_adapter", &c.AttentionAdapter), toggle(keyTied, &c.TieWordEmbeddings),
	})
}

func (c *Zamba2Config) settle(shown Sizes) {
	c.fitExpand(shown["I"])
	c.Mixer2.settle(shown, &c.StateSize)
	c.QueryHeads.divide(2 * c.HiddenSize)
}

func (c *Zamba2Config) parse(keys jsonobj.Members) error {
	if odd := oddLayer(keys, keyLayers, zamba2Kinds...); odd != "" {
		return formatError(keyLayers, `%s, expected "linear_attention" (or "mamba") or "hybrid"`, odd)
	}
	layers := c.Layers
	c.NumKeyValueHeads, c.IntermediateSize, c.MambaHeadDim = 0, 0, rankAuto
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	if err := c.Rope.settle(keys, c.UseMemRope); err != nil {
		return err
	}
	if !has(keys, keyLayers) {
		c.Layers = layers
		if err := c.checkDefaultLayers(layers); err != nil {
			return err
		}
	}
	c.QueryHeads.complete(2 * c.HiddenSize)
	if c.IntermediateSize == 0 && 0 < c.HiddenSize && c.HiddenSize <= maxWidth/4 {
		c.IntermediateSize = 4 * c.HiddenSize
	}
	if err := c.Mixer2.divide(c.expanded()); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return err
	}
	return c.checkHybrid(keys)
}

// checkHybrid reports hybrid_layer_ids that are not the hybrid layers of the list: transformers then fails, or mistakes a block for another.
func (c *Zamba2Config) checkHybrid(keys jsonobj.Members) error {
	const key = "hybrid_layer_ids"
	var ids []int
	f := indicesField(key, &ids)
	switch v, ok := keys.Get(key); {
	case !ok:
		return nil
	case !f.decode(v):
		return formatError(key, "found %s, expected %s", v, f.want)
	case !slices.Equal(ids, layersWith(c, BlockSharedAttention)):
		return formatError(key, "found %s, but %s has %v as hybrid layers", f.found(), keyLayers, layersWith(c, BlockSharedAttention))
	}
	return nil
}
