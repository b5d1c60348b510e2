package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// JambaConfig mirrors the class JambaConfig of transformers 5.24 (models/jamba/configuration_jamba.py): layers of Mamba-1, with
// weighted norms on dt, B and C, or of attention without positions, each followed by SwiGLU or by SwiGLU experts. A period and
// an offset determine which layers have attention, and another two which have experts. StateSize is mamba_d_state, ConvKernel
// mamba_d_conv, Expand mamba_expand, UseBias mamba_proj_bias, UseConvBias mamba_conv_bias, LayerNormEpsilon rms_norm_eps, for
// all norms.
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

// Every selects layers: those whose index leaves remainder Offset when divided by Period.
type Every struct{ Period, Offset int }

// has reports whether a layer is one of them.
func (e Every) has(layer int) bool { return e.Period > 0 && layer%e.Period == e.Offset }

// NewJamba returns the defaults of transformers 5.24, which are the sizes of ai21labs/Jamba-v0.1.
func NewJamba() *JambaConfig {
	return &JambaConfig{
		notInOld: notInOld{Jamba},
		Common: hybridDefaults(Common{
			Architectures:    []string{"JambaForCausalLM"},
			VocabSize:        65536,
			HiddenSize:       4096,
			StateSize:        16,
			NumHiddenLayers:  32,
			LayerNormEpsilon: 1e-6,
		}),
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
	aliases: map[string]string{"num_local_experts": "num_experts"},
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
	return validate(c,
		func() error { _, err := c.expanded(); return err },
		c.QueryHeads.check,
		c.checkOffsets,
		c.checkExperts,
		c.checkSize,
	)
}

// checkOffsets reports layers that do not follow each other as their period says.
func (c *JambaConfig) checkOffsets() error {
	for _, e := range []struct {
		name string
		Every
	}{{"attn_layer", c.Attention}, {"expert_layer", c.Experts}} {
		if e.Offset >= e.Period {
			return formatError(e.name+"_offset", "found %d, expected less than %s_period %d", e.Offset, e.name, e.Period)
		}
	}
	return nil
}

// checkExperts reports a router that cannot choose as many experts as it must.
func (c *JambaConfig) checkExperts() error {
	n := len(layersWith(c, BlockSwiGLUMoE))
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
	for _, layer := range Blocks(c) {
		for _, b := range layer {
			sum += of[b]
		}
	}
	return checkBytes(sum)
}

// Clone implements Config.
func (c *JambaConfig) Clone() Config { return copyOf(c) }

// EncodeHF implements Config.
func (c *JambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *JambaConfig) Layer(i int) []Block {
	mixer, feed := BlockMamba1, BlockSwiGLU
	if c.Attention.has(i) {
		mixer = BlockAttention
	}
	if c.NumExperts > 1 && c.Experts.has(i) {
		feed = BlockSwiGLUMoE
	}
	return []Block{mixer, feed}
}

// Summary implements Config.
func (c *JambaConfig) Summary() string {
	s := fmt.Sprintf("dt_rank %d, %s, intermediate_size %d", c.TimeStepRank, c.words(), c.IntermediateSize)
	if n := len(layersWith(c, BlockSwiGLUMoE)); n > 0 {
		s += fmt.Sprintf(", in %s %d experts, %d for each token", badfile.Count(n, "layer"), c.NumExperts, c.NumExpertsPerTok)
	}
	return s
}

func (c *JambaConfig) fields() []field {
	mixers, attention, experts := hasBlock(c, BlockMamba1), hasBlock(c, BlockAttention), hasBlock(c, BlockSwiGLUMoE)
	return slices.Concat(c.QueryHeads.fields(attention), c.modelFields("rms_norm_eps", c.depthField()), []field{
		c.siluField("hidden_act"),
		c.tiedField(),
		c.headDimField().deciding(Results).counting(attention), // the shapes show its products with the heads

		c.layersOf("attn_layer_period", &c.Attention.Period, 1, BlockAttention),
		c.layersOf("attn_layer_offset", &c.Attention.Offset, -maxWidth, BlockAttention), // below 0: in no layer
		c.layersOf("expert_layer_period", &c.Experts.Period, 1, BlockSwiGLUMoE),
		c.layersOf("expert_layer_offset", &c.Experts.Offset, -maxWidth, BlockSwiGLUMoE),
		intField("num_experts", &c.NumExperts, 0, maxInner).deciding(Tensors).counting(experts),
		intField("num_experts_per_tok", &c.NumExpertsPerTok, 0, maxInner).deciding(Results).counting(experts),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors),
	}, c.mixer1Fields(&c.TimeStepRank, mixers), c.runFields())
}

// layersOf is a key that decides which layers have a block, and means the same as any other number by which the same have it.
func (c *JambaConfig) layersOf(key string, p *int, least int, b Block) field {
	f := intField(key, p, least, maxWidth).deciding(Tensors)
	f.same = func() string { return fmt.Sprint(layersWith(c, b)) }
	return f
}

func (c *JambaConfig) handles() []handle {
	return slices.Concat(c.sizes(), c.QueryHeads.handles(), []handle{
		size("R", &c.TimeStepRank), size("F", &c.IntermediateSize), size("E", &c.NumExperts),
		toggle("mamba_proj_bias", &c.UseBias), toggle("mamba_conv_bias", &c.UseConvBias), toggle(keyTied, &c.TieWordEmbeddings),
	})
}

func (c *JambaConfig) settle(shown Sizes) { c.fitExpand(shown["I"]) }

func (c *JambaConfig) parse(keys jsonobj.Members) error {
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
