package config

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// NemotronHConfig mirrors the class NemotronHConfig of transformers 5.24 (models/nemotron_h/configuration_nemotron_h.py):
// layers of one block each, Mamba-2, attention without positions, an MLP or experts. StateSize is ssm_state_size, HiddenAct
// mamba_hidden_act. The head is never tied, whatever tie_word_embeddings says. Keys that the class has and ignores, such as
// time_step_limit and attention_bias, are extra keys here.
type NemotronHConfig struct {
	notInOld
	Common         // TimeStepMin is a lower limit of dt in full passes of transformers on a CPU, and of no other program
	Layers []Block // BlockMamba2, BlockAttention, BlockMLP or BlockMoE
	Mixer2
	QueryHeads

	IntermediateSize int    // F, of MLPs
	MLPHiddenAct     string // "relu2", or "gelu" without experts
	MLPBias          bool   // of MLPs, shared experts and latent projections

	NRoutedExperts                  int // E
	NumExpertsPerTok                int // k
	MoEIntermediateSize             int // of an expert
	MoESharedExpertIntermediateSize int
	MoELatentSize                   int // Z, the width that experts read and write; 0: hidden_size
	NGroup, TopKGroup               int // the router's groups of experts, and of how many of them it chooses
	NormTopKProb                    bool
	RoutedScalingFactor             float64
}

// NewNemotronH returns the defaults of transformers 5.24.
func NewNemotronH() *NemotronHConfig {
	return &NemotronHConfig{
		notInOld: notInOld{NemotronH},
		Common: hybridDefaults(Common{
			Architectures:    []string{"NemotronHForCausalLM"},
			VocabSize:        131072,
			HiddenSize:       4096,
			StateSize:        128,
			NumHiddenLayers:  4,
			LayerNormEpsilon: 1e-5,
		}),
		Layers:                          []Block{BlockMamba2, BlockMoE, BlockAttention, BlockMLP},
		Mixer2:                          Mixer2{MambaNumHeads: 128, MambaHeadDim: 64, NGroups: 8, ChunkSize: 128},
		QueryHeads:                      QueryHeads{NumAttentionHeads: 32, NumKeyValueHeads: 8, HeadDim: 128},
		IntermediateSize:                21504,
		MLPHiddenAct:                    "relu2",
		NRoutedExperts:                  8,
		NumExpertsPerTok:                2,
		MoEIntermediateSize:             7688,
		MoESharedExpertIntermediateSize: 7688,
		NGroup:                          1,
		TopKGroup:                       1,
		NormTopKProb:                    true,
		RoutedScalingFactor:             1,
	}
}

var entryNemotronH = entry{
	family:  NemotronH,
	title:   "Nemotron-H",
	classes: []string{"NemotronHForCausalLM", "NemotronHModel"},
	fresh:   func() Config { return NewNemotronH() },
	aliases: nemotronAliases,
	hybrid:  true,
	gguf:    llamaCpp{writable: nemotronWritable, hybrid: &nemotronGGUF},
	mlx:     mlxNemotronH,
}

// The keys that say which blocks there are, and how older files say it, by a letter for each.
const (
	keyLayers  = "layers_block_type"
	keyPattern = "hybrid_override_pattern"
)

var (
	nemotronKinds   = []Block{BlockMamba2, BlockAttention, BlockMLP, BlockMoE}
	nemotronLetters = map[rune]Block{'M': BlockMamba2, '*': BlockAttention, '-': BlockMLP, 'E': BlockMoE}
	// nemotronAliases are keys that the class takes for others, as in __post_init__ and its attribute_map.
	nemotronAliases = map[string]string{
		"mamba_n_groups": "n_groups", "mamba_d_conv": "conv_kernel", "mamba_expand": "expand", "mamba_dt_min": "time_step_min",
		"mamba_dt_max": "time_step_max", "mamba_dt_limit": "time_step_limit", "mamba_dt_init_floor": "time_step_floor",
		"mamba_conv_bias": "use_conv_bias", "mamba_chunk_size": "chunk_size", "layer_types": keyLayers, "num_local_experts": "n_routed_experts",
	}
)

// Family returns NemotronH.
func (c *NemotronHConfig) Family() Family { return NemotronH }

// ConvChannels implements Config.
func (c *NemotronHConfig) ConvChannels() int { return c.convolved(c.StateSize) }

// Validate implements Config.
func (c *NemotronHConfig) Validate() error {
	return validate(c,
		func() error { return c.checkLayers(keyLayers, c.Layers) },
		func() error { return c.Mixer2.check("mamba_num_heads", "n_groups", c.StateSize) },
		c.QueryHeads.check,
		c.checkExperts,
		c.checkSize,
	)
}

// has reports whether any layer is such a block.
func (c *NemotronHConfig) has(b Block) bool { return hasBlock(c, b) }

// checkExperts reports a router that cannot choose as many experts as it must.
func (c *NemotronHConfig) checkExperts() error {
	layers := len(layersWith(c, BlockMoE))
	if layers == 0 {
		return nil
	}
	switch within := c.NRoutedExperts / c.NGroup; {
	case c.NRoutedExperts > maxExperts/layers:
		return formatError("n_routed_experts", "found %d in each of %d layers, expected at most %d in all", c.NRoutedExperts, layers, maxExperts)
	case c.NRoutedExperts%c.NGroup != 0:
		return formatError("n_group", "found %d, which does not divide n_routed_experts %d", c.NGroup, c.NRoutedExperts)
	case within < 2:
		return formatError("n_group", "found %d for %d experts, expected groups of at least 2", c.NGroup, c.NRoutedExperts)
	case c.TopKGroup > c.NGroup:
		return formatError("topk_group", "found %d, expected at most the %d of n_group", c.TopKGroup, c.NGroup)
	case c.NumExpertsPerTok > c.TopKGroup*within:
		return formatError("num_experts_per_tok", "found %d, expected at most the %d experts that are chosen from", c.NumExpertsPerTok, c.TopKGroup*within)
	}
	return nil
}

// checkSize bounds the weights and the states of one sequence together.
func (c *NemotronHConfig) checkSize() error {
	d := float64(c.HiddenSize)
	experts, shared := float64(c.MoEIntermediateSize), float64(c.MoESharedExpertIntermediateSize)
	of := map[Block]float64{
		BlockMamba2:    c.Mixer2.weights(d, float64(c.StateSize), float64(c.ConvKernel)),
		BlockAttention: c.QueryHeads.weights(d),
		BlockMLP:       (2*d + 1) * float64(c.IntermediateSize),
		BlockMoE:       float64(c.NRoutedExperts)*(d+1+2*experts*float64(c.latent())) + 2*d*(shared+float64(c.latent())+1),
	}
	sum := 2 * float64(c.VocabSize) * d
	for _, b := range c.Layers {
		sum += of[b]
	}
	return checkBytes(sum)
}

// latent returns the width that experts read and write.
func (c *NemotronHConfig) latent() int {
	if c.MoELatentSize > 0 {
		return c.MoELatentSize
	}
	return c.HiddenSize
}

// Clone implements Config.
func (c *NemotronHConfig) Clone() Config {
	d := copyOf(c)
	d.Layers = slices.Clone(c.Layers)
	return d
}

// EncodeHF implements Config.
func (c *NemotronHConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *NemotronHConfig) Layer(i int) []Block { return blockOf(c.Layers, i) }

// Summary implements Config.
func (c *NemotronHConfig) Summary() string {
	s := mixerWords(c, &c.Mixer2) + c.words()
	if c.has(BlockMLP) {
		s += fmt.Sprintf(", intermediate_size %d", c.IntermediateSize)
	}
	if c.has(BlockMoE) {
		s += fmt.Sprintf(", %d experts of %d, %d for each token", c.NRoutedExperts, c.MoEIntermediateSize, c.NumExpertsPerTok)
	}
	return s
}

func (c *NemotronHConfig) fields() []field {
	mlp := stringField("mlp_hidden_act", &c.MLPHiddenAct)
	mlp.check = func() bool { return c.MLPHiddenAct == "relu2" || c.MLPHiddenAct == "gelu" && !c.has(BlockMoE) }
	mlp.want, mlp.unsupported = `"relu2", or "gelu" without experts`, true
	mlp.same = func() string {
		if c.MLPHiddenAct == "relu2" || !c.has(BlockMLP) {
			return ""
		}
		return c.MLPHiddenAct
	}
	mixers, attention, experts := c.has(BlockMamba2), c.has(BlockAttention), c.has(BlockMoE)
	layers := layersField(keyLayers, &c.Layers, nemotronKinds...).deciding(Results)
	return slices.Concat(c.QueryHeads.fields(attention), c.modelFields("layer_norm_epsilon", layers), []field{
		intField("head_dim", &c.HeadDim, 1, maxInner).deciding(Results).counting(attention), // the shapes show its products with the heads

		intField("ssm_state_size", &c.StateSize, 1, maxInner).deciding(Results).counting(mixers), // the shapes show its product with n_groups
		intField("mamba_num_heads", &c.MambaNumHeads, 1, maxWidth).deciding(Tensors),
		intField("mamba_head_dim", &c.MambaHeadDim, 1, maxWidth).deciding(Tensors),
		intField("n_groups", &c.NGroups, 1, maxInner).deciding(Results).counting(mixers),
		intField("conv_kernel", &c.ConvKernel, 1, maxInner).deciding(Tensors),
		c.siluField("mamba_hidden_act"),
		boolField("use_bias", &c.UseBias).deciding(Tensors),
		boolField("use_conv_bias", &c.UseConvBias).deciding(Tensors),
		intField("chunk_size", &c.ChunkSize, 1, maxWidth).deciding(Nothing),
		intField("expand", &c.Expand, 1, maxInner).deciding(Nothing),
		epsilonField("time_step_min", &c.TimeStepMin).deciding(Nothing), // of what was trained; see NemotronHConfig
		floatField("time_step_max", &c.TimeStepMax).deciding(Nothing),
		floatField("time_step_floor", &c.TimeStepFloor).deciding(Nothing),

		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors).counting(c.has(BlockMLP)),
		mlp.deciding(Results),
		boolField("mlp_bias", &c.MLPBias).deciding(Tensors),

		intField("n_routed_experts", &c.NRoutedExperts, 1, maxInner).deciding(Tensors).counting(experts),
		intField("num_experts_per_tok", &c.NumExpertsPerTok, 1, maxInner).deciding(Results).counting(experts),
		intField("moe_intermediate_size", &c.MoEIntermediateSize, 1, maxWidth).deciding(Tensors).counting(experts),
		intField("moe_shared_expert_intermediate_size", &c.MoESharedExpertIntermediateSize, 1, maxWidth).deciding(Tensors).counting(experts),
		nullableField(intField("moe_latent_size", &c.MoELatentSize, 0, maxWidth), &c.MoELatentSize, 0).deciding(Tensors).counting(experts),
		intField("n_group", &c.NGroup, 1, maxInner).deciding(Results).counting(experts),
		intField("topk_group", &c.TopKGroup, 1, maxInner).deciding(Results).counting(experts),
		boolField("norm_topk_prob", &c.NormTopKProb).deciding(Results).counting(experts),
		scaleField("routed_scaling_factor", &c.RoutedScalingFactor).deciding(Results).counting(experts),
	}, c.runFields())
}

func (c *NemotronHConfig) handles() []handle {
	latent, projected := c.latent(), c.MoELatentSize > 0
	biased := projected && c.MLPBias
	return slices.Concat(c.sizes(), c.Mixer2.handles(), c.QueryHeads.handles(), []handle{
		size("F", &c.IntermediateSize), size("E", &c.NRoutedExperts), size("X", &c.MoEIntermediateSize), size("S", &c.MoESharedExpertIntermediateSize), size("Z", &latent),
		toggle("use_bias", &c.UseBias), toggle("use_conv_bias", &c.UseConvBias), toggle("mlp_bias", &c.MLPBias),
		toggle("moe_latent_size", &projected), toggle("moe_latent_bias", &biased), // of projections to moe_latent_size and back
	})
}

func (c *NemotronHConfig) settle(shown Sizes) { c.Mixer2.settle(shown, &c.StateSize) }

func (c *NemotronHConfig) parse(keys jsonobj.Members) error {
	if odd := oddLayer(keys, keyLayers, nemotronKinds...); odd != "" {
		return formatError(keyLayers, `%s, expected "linear_attention" (or "mamba"), "full_attention" (or "attention"), "mlp" or "moe"`, odd)
	}
	layers := c.Layers
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	if !has(keys, keyLayers) {
		c.Layers = layers
		if err := c.takePattern(keys); err != nil {
			return err
		}
	}
	if c.NumKeyValueHeads == 0 {
		c.NumKeyValueHeads = c.NumAttentionHeads
	}
	c.NumHiddenLayers = len(c.Layers)
	return c.Validate()
}

// takePattern reads the older spelling of layers_block_type, if it is there.
func (c *NemotronHConfig) takePattern(keys jsonobj.Members) error {
	v, ok := keys.Get(keyPattern)
	if !ok {
		return nil
	}
	pattern, ok := v.Text()
	if !ok || pattern == "" || len(pattern) > maxLayers {
		return formatError(keyPattern, "found %s, expected a letter for each of 1 to %d layers", v, maxLayers)
	}
	c.Layers = nil
	for i, letter := range pattern {
		kind, known := nemotronLetters[letter]
		if !known {
			return formatError(keyPattern, "found %s for layer %d, expected M (Mamba-2), * (attention), - (MLP) or E (experts)", badfile.Quote(string(letter)), i)
		}
		c.Layers = append(c.Layers, kind)
	}
	return nil
}
