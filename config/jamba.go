package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// JambaConfig mirrors the class JambaConfig of transformers 5.24 (models/jamba/configuration_jamba.py): layers of Mamba-1 with
// norms of dt, B and C that have weights, or of attention without positions, each followed by SwiGLU, alone or as experts. Which
// layers have attention and experts, a period and an offset say. StateSize is mamba_d_state, ConvKernel mamba_d_conv, Expand
// mamba_expand, UseBias mamba_proj_bias, UseConvBias mamba_conv_bias, LayerNormEpsilon rms_norm_eps, of all norms.
type JambaConfig struct {
	notInOld
	Common
	QueryHeads
	TimeStepRank     int   // R, mamba_dt_rank; "auto" is resolved to ceil(D/16)
	IntermediateSize int   // F, also of an expert
	NumExperts       int   // E; up to 1: there are none in any layer
	NumExpertsPerTok int   // k
	Attention        Every // attn_layer_period and attn_layer_offset
	Experts          Every // expert_layer_period and expert_layer_offset
}

// Every says which layers have something: those whose number leaves Offset when it is divided by Period.
type Every struct{ Period, Offset int }

// has reports whether a layer is one of them.
func (e Every) has(layer int) bool { return layer%e.Period == e.Offset }

// NewJamba returns the defaults of transformers 5.24, which are the sizes of ai21labs/Jamba-v0.1.
func NewJamba() *JambaConfig {
	pad, bos := 0, 1
	return &JambaConfig{
		notInOld: notInOld{Jamba},
		Common: Common{
			Architectures:    []string{"JambaForCausalLM"},
			VocabSize:        65536,
			HiddenSize:       4096,
			StateSize:        16,
			NumHiddenLayers:  32,
			LayerNormEpsilon: 1e-6,
			PadTokenID:       &pad,
			BosTokenID:       &bos,
			EosTokenID:       TokenIDs{IDs: []int{2}},
			Expand:           2,
			ConvKernel:       4,
			UseConvBias:      true,
			HiddenAct:        "silu",
			InitializerRange: 0.02,
			TimeStepMin:      0.001, // these three only draw new weights; no key states them
			TimeStepMax:      0.1,
			TimeStepFloor:    1e-4,
			UseCache:         true,
		},
		QueryHeads:       QueryHeads{NumAttentionHeads: 32, NumKeyValueHeads: 8, HeadDim: 128},
		TimeStepRank:     256,
		IntermediateSize: 14336,
		NumExperts:       16,
		NumExpertsPerTok: 2,
		Attention:        Every{8, 4},
		Experts:          Every{2, 1},
	}
}

var entryJamba = entry{
	family:  Jamba,
	title:   "Jamba",
	classes: []string{"JambaForCausalLM", "JambaModel"},
	fresh:   func() Config { return NewJamba() },
	hybrid:  true,
	mlx:     mlxJamba,
	gguf:    llamaCpp{writable: jambaWritable, hybrid: &jambaGGUF, piecesFirst: true},
}

// Family returns Jamba.
func (c *JambaConfig) Family() Family { return Jamba }

// DInner returns mamba_expand*hidden_size.
func (c *JambaConfig) DInner() int { return c.Expand * c.HiddenSize }

// ConvChannels returns DInner: the convolution of Mamba-1 runs over x alone.
func (c *JambaConfig) ConvChannels() int { return c.DInner() }

// Validate implements Config.
func (c *JambaConfig) Validate() error {
	fields := c.fields()
	if err := checkFields(fields); err != nil {
		return err
	}
	if _, err := c.expanded(); err != nil {
		return err
	}
	if err := c.QueryHeads.check(); err != nil {
		return err
	}
	for _, e := range []struct {
		name string
		Every
	}{{"attn_layer", c.Attention}, {"expert_layer", c.Experts}} {
		if e.Offset >= e.Period {
			return formatError(e.name+"_offset", "found %d, expected less than %s_period %d", e.Offset, e.name, e.Period)
		}
	}
	if err := c.checkExperts(); err != nil {
		return err
	}
	if err := c.checkSize(); err != nil {
		return err
	}
	return checkExtra(c.Extra, fields)
}

// checkExperts reports a router that cannot choose as many experts as it must.
func (c *JambaConfig) checkExperts() error {
	n := c.count(BlockSwiGLUMoE)
	switch {
	case n == 0:
		return nil
	case c.NumExperts > maxExperts/n:
		return formatError("num_experts", "found %d in each of %d layers, expected at most %d in all", c.NumExperts, n, maxExperts)
	case c.NumExpertsPerTok < 1 || c.NumExpertsPerTok > c.NumExperts:
		return formatError("num_experts_per_tok", "found %d, expected 1 to num_experts %d", c.NumExpertsPerTok, c.NumExperts)
	}
	return nil
}

// checkSize bounds the weights and the states of one sequence together.
func (c *JambaConfig) checkSize() error {
	d, i, r := float64(c.HiddenSize), float64(c.DInner()), float64(c.TimeStepRank)
	n, k, feed := float64(c.StateSize), float64(c.ConvKernel), d*(3*float64(c.IntermediateSize)+1)
	of := map[Block]float64{
		BlockMamba1:    3*i*d + i*(2*r+2*n) + 2*i*(n+k+5) + 3*d + r + 2*n,
		BlockAttention: c.QueryHeads.weights(d),
		BlockSwiGLU:    feed,
		BlockSwiGLUMoE: float64(c.NumExperts)*(d+feed) + d,
	}
	sum := 2 * float64(c.VocabSize) * d
	for _, layer := range c.Blocks() {
		for _, b := range layer {
			sum += of[b]
		}
	}
	return checkBytes(sum)
}

// Clone implements Config.
func (c *JambaConfig) Clone() Config {
	d := *c
	d.Common = c.Common.clone()
	return &d
}

// EncodeHF implements Config.
func (c *JambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Blocks implements Config.
func (c *JambaConfig) Blocks() [][]Block {
	list := make([][]Block, c.NumHiddenLayers)
	for l := range list {
		mixer, feed := BlockMamba1, BlockSwiGLU
		if c.Attention.has(l) {
			mixer = BlockAttention
		}
		if c.NumExperts > 1 && c.Experts.has(l) {
			feed = BlockSwiGLUMoE
		}
		list[l] = []Block{mixer, feed}
	}
	return list
}

// count counts the layers that have such a block.
func (c *JambaConfig) count(b Block) (n int) {
	for _, layer := range c.Blocks() {
		if slices.Contains(layer, b) {
			n++
		}
	}
	return n
}

// Summary implements Config.
func (c *JambaConfig) Summary() string {
	s := fmt.Sprintf("dt_rank %d, %s, intermediate_size %d", c.TimeStepRank, c.words(), c.IntermediateSize)
	if n := c.count(BlockSwiGLUMoE); n > 0 {
		s += fmt.Sprintf(", in %s %d experts, %d for each token", badfile.Count(n, "layer"), c.NumExperts, c.NumExpertsPerTok)
	}
	return s
}

func (c *JambaConfig) fields() []field {
	some := 0 < c.NumHiddenLayers && c.NumHiddenLayers <= maxLayers && c.Attention.Period > 0 && c.Experts.Period > 0 // or no layer can be asked
	mixers, attention := some && c.count(BlockMamba1) > 0, some && c.count(BlockAttention) > 0
	experts := some && c.count(BlockSwiGLUMoE) > 0
	rank := rankField("mamba_dt_rank", &c.TimeStepRank)
	return append(c.QueryHeads.fields(attention),
		classesField("architectures", &c.Architectures).deciding(Nothing),
		intField("vocab_size", &c.VocabSize, 1, maxWidth).deciding(Tensors),
		intField("hidden_size", &c.HiddenSize, 1, maxWidth).deciding(Tensors),
		intField("num_hidden_layers", &c.NumHiddenLayers, 1, maxLayers).deciding(Tensors),
		epsilonField("rms_norm_eps", &c.LayerNormEpsilon).deciding(Results),
		activationField("hidden_act", &c.HiddenAct).deciding(Nothing), // there is one activation, under two names
		idField("pad_token_id", &c.PadTokenID).deciding(Nothing),
		idField("bos_token_id", &c.BosTokenID).deciding(Nothing),
		idsField(KeyEOS, &c.EosTokenID).deciding(Nothing),
		boolField("tie_word_embeddings", &c.TieWordEmbeddings).deciding(Tensors),
		c.headDimField().deciding(Results).counting(attention), // the shapes show its products with the heads

		c.layersOf("attn_layer_period", &c.Attention.Period, 1, BlockAttention),
		c.layersOf("attn_layer_offset", &c.Attention.Offset, -maxWidth, BlockAttention), // below 0: in no layer
		c.layersOf("expert_layer_period", &c.Experts.Period, 1, BlockSwiGLUMoE),
		c.layersOf("expert_layer_offset", &c.Experts.Offset, -maxWidth, BlockSwiGLUMoE),
		intField("num_experts", &c.NumExperts, 0, maxInner).deciding(Tensors).counting(experts),
		intField("num_experts_per_tok", &c.NumExpertsPerTok, 0, maxInner).deciding(Results).counting(experts),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors),

		intField("mamba_d_state", &c.StateSize, 1, maxInner).deciding(Tensors).counting(mixers),
		intField("mamba_d_conv", &c.ConvKernel, 1, maxInner).deciding(Tensors).counting(mixers),
		intField("mamba_expand", &c.Expand, 1, maxInner).deciding(Tensors).counting(mixers),
		rank.deciding(Tensors).counting(mixers),
		boolField("mamba_conv_bias", &c.UseConvBias).deciding(Tensors),
		boolField("mamba_proj_bias", &c.UseBias).deciding(Tensors),

		floatField("initializer_range", &c.InitializerRange).deciding(Nothing),
		boolField("use_cache", &c.UseCache).deciding(Nothing),
		optionalBoolField("output_hidden_states", &c.OutputHiddenStates).deciding(Nothing),
		dtypeField("torch_dtype", &c.DType).deciding(Nothing),
		dtypeAliasField("dtype", &c.DType).deciding(Nothing),
	)
}

// layersOf is a key that decides which layers have a block, and means the same as any other number by which the same have it.
func (c *JambaConfig) layersOf(key string, p *int, least int, b Block) field {
	f := intField(key, p, least, maxWidth).deciding(Tensors)
	f.same = func() string {
		var layers []int
		for l, blocks := range c.Blocks() {
			if slices.Contains(blocks, b) {
				layers = append(layers, l)
			}
		}
		return fmt.Sprint(layers)
	}
	return f
}

func (c *JambaConfig) handles() []handle {
	queries, keys := c.widths()
	return []handle{
		size("V", &c.VocabSize), size("D", &c.HiddenSize), size("L", &c.NumHiddenLayers), size("N", &c.StateSize), size("K", &c.ConvKernel),
		size("R", &c.TimeStepRank), size("Q", &queries), size("KV", &keys), size("q", &c.NumAttentionHeads), size("kv", &c.NumKeyValueHeads),
		size("F", &c.IntermediateSize), size("E", &c.NumExperts),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle("tie_word_embeddings", &c.TieWordEmbeddings),
	}
}

func (c *JambaConfig) settle(shown Sizes) { c.fitExpand(shown["I"]) }

func (c *JambaConfig) parse(keys jsonobj.Members) error {
	keys = respelled(keys, map[string]string{"num_local_experts": "num_experts"})
	keys, lists := withoutLists(keys)
	c.TimeStepRank = rankAuto
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	if c.TimeStepRank == rankAuto {
		c.TimeStepRank = max(1, (c.HiddenSize+15)/16)
	}
	c.QueryHeads.complete(c.HiddenSize)
	if err := c.Validate(); err != nil {
		return err
	}
	return c.checkLists(lists)
}

// withoutLists takes out the lists of what each layer is, which transformers works out from the periods and does not read.
func withoutLists(keys jsonobj.Members) (others, lists jsonobj.Members) {
	for _, m := range keys {
		if m.Key == keyLayers || m.Key == keyLayerTypes {
			lists = append(lists, m)
		} else {
			others = append(others, m)
		}
	}
	return others, lists
}

// checkLists reports a list that says otherwise than the periods.
func (c *JambaConfig) checkLists(lists jsonobj.Members) error {
	for _, m := range lists {
		var kinds []Block
		f := layersField(m.Key, &kinds, BlockMamba2, BlockAttention) // the word for both kinds of Mamba is the same
		if !f.decode(m.Value) {
			return formatError(m.Key, `found %s, expected "linear_attention" (or "mamba") or "full_attention" (or "attention")`, m.Value)
		}
		for l := range max(len(kinds), c.NumHiddenLayers) {
			if l >= len(kinds) || l >= c.NumHiddenLayers || (kinds[l] == BlockAttention) != c.Attention.has(l) {
				return formatError(m.Key, "found another layer %d than attn_layer_period %d and attn_layer_offset %d say", l, c.Attention.Period, c.Attention.Offset)
			}
		}
	}
	return nil
}
