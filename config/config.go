package config

import (
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Family names an architecture as model_type spells it in config.json.
type Family string

// The families of pure Mamba checkpoints, and of hybrids.
const (
	Mamba         Family = "mamba"
	FalconMamba   Family = "falcon_mamba"
	Mamba2        Family = "mamba2"
	Mamba3        Family = "mamba3"
	NemotronH     Family = "nemotron_h"
	GraniteHybrid Family = "granitemoehybrid"
	Jamba         Family = "jamba"
	FalconH1      Family = "falcon_h1"
	Bamba         Family = "bamba"
	Zamba         Family = "zamba"
	Zamba2        Family = "zamba2"
	MambaSSM      Family = "mamba_ssm" // of the original layout: a name of our own
)

// Config is a resolved configuration: every default is filled in and every derived size computed.
type Config interface {
	// Family is the architecture that the configuration describes.
	Family() Family
	// Shared returns the fields that all families have. It points into the configuration: changes show there.
	Shared() *Common
	// DInner is d_inner, the width I of the mixer: the channels that the convolution and the scan run over.
	DInner() int
	// ConvChannels is the number of channels of the causal convolution: d_inner, and in Mamba-2 those of B and C too.
	ConvChannels() int
	// Validate reports the first value that is out of range, as one line with key, found and expected:
	// a *badfile.FormatError, or a *badfile.UnsupportedError for a value that means something but not to this library.
	// What ParseHF returned is valid.
	Validate() error
	// Clone returns an independent copy, without the notes about the file.
	Clone() Config
	// EncodeHF renders config.json so that transformers, 5.x and 4.x alike, reads the same class with the same values.
	// Its errors are those of Validate.
	EncodeHF() ([]byte, error)
	// EncodeOriginal renders the config.json of the original layout: the 12 keys that mamba_ssm knows and no other,
	// since it refuses what it does not know; ssm_cfg holds what differs from the mixer's defaults.
	// Beside the errors of Validate, a value that the layout cannot hold and that changes results is a
	// *badfile.UnsupportedError that names its key.
	EncodeOriginal() ([]byte, error)
	// EncodeMistral renders the params.json of mistral's layout. Its errors are like those of EncodeOriginal.
	EncodeMistral() ([]byte, error)
	// Layer returns the blocks of layer i of NumHiddenLayers, counted from 0, in the order in which they add to the residual
	// stream. Blocks lists those of all layers.
	Layer(i int) []Block
	// Summary says the sizes that only the family has, such as "dt_rank 48".
	Summary() string

	// fields binds the keys of config.json to the configuration.
	fields() []field
	// handles names what names and shapes of tensors depend on. Unlike fields, it may be asked for every tensor.
	handles() []handle
	// parse reads them, resolves what others decide, and checks all.
	parse(keys jsonobj.Members) error
	// settle adapts what follows from sizes that were set because something showed them.
	settle(shown Sizes)
}

// Common holds the fields that the transformers classes of all families share. The package comment explains them.
type Common struct {
	Architectures          []string // class names, at least one
	VocabSize              int      // V, rows of the embedding
	HiddenSize             int      // D
	StateSize              int      // N
	NumHiddenLayers        int      // L
	LayerNormEpsilon       float64
	PadTokenID             *int // nil: none
	BosTokenID             *int // nil: none
	EosTokenID             TokenIDs
	Expand                 int  // E
	ConvKernel             int  // K
	UseBias                bool // in_proj and out_proj have a bias
	UseConvBias            bool // conv1d has a bias
	HiddenAct              string
	InitializerRange       float64
	ResidualInFP32         bool
	TimeStepMin            float64
	TimeStepMax            float64
	TimeStepFloor          float64
	RescalePrenormResidual bool
	UseCache               bool
	OutputHiddenStates     bool
	TieWordEmbeddings      bool    // lm_head.weight is the embedding
	DType                  string  // "float32", "float16", "bfloat16" or "float64"; empty: not stated
	Extra                  []Extra // sorted by key

	// Quantization is the JSON text of quantization_config, or of MLX's quantization: how the files keep weights as codes.
	// It is empty if the file does not say so, and not written, as weights are.
	Quantization string

	notes []Note
}

// Note is something about a config.json that a user should know and that does not keep the model from being used.
type Note struct {
	File, Key, Detail string // Key is empty if the note is about the whole file
}

// String returns the note as one line.
func (n Note) String() string {
	return (&badfile.FormatError{File: n.File, Where: n.Key, Detail: n.Detail}).Error()
}

// Notes returns what was odd about the file that the configuration was read from.
func (c *Common) Notes() []Note { return c.notes }

// Rescales reports rescale_prenorm_residual. This key is meant for initialisation, but does harm later: transformers (5.24,
// _init_weights of all three pure families) divides every out_proj.weight by √L when it loads such a model, and so computes
// other results than the weights call for.
func (c *Common) Rescales() bool { return c.RescalePrenormResidual }

// Shared returns c. It implements that part of Config for every struct that embeds Common.
func (c *Common) Shared() *Common { return c }

// clone returns an independent copy.
func (c *Common) clone() Common {
	d := *c
	d.Architectures, d.Extra, d.notes = slices.Clone(c.Architectures), slices.Clone(c.Extra), nil
	d.EosTokenID.IDs = slices.Clone(c.EosTokenID.IDs)
	for _, id := range []**int{&d.PadTokenID, &d.BosTokenID} {
		if *id != nil {
			v := **id
			*id = &v
		}
	}
	return d
}

// copyOf returns an independent copy of a configuration, but for what its family keeps in slices and pointers of its own.
func copyOf[T any, P interface {
	*T
	Config
}](c P) P {
	d := *c
	*P(&d).Shared() = c.Shared().clone()
	return &d
}

// TokenIDs is none, one or several token ids, written back in the form it was found in.
type TokenIDs struct {
	IDs  []int // empty: none
	List bool  // spelled as a list
}

// Contains reports whether id is one of t.
func (t TokenIDs) Contains(id int) bool {
	for _, x := range t.IDs {
		if x == id {
			return true
		}
	}
	return false
}

// Extra is a key that has no meaning here but is kept when the file is written again: keys of newer transformers versions, and
// stale keys of published files (d_inner, d_model, n_layer, ssm_cfg, rms_norm, fused_add_norm, pad_vocab_size_multiple in
// state-spaces/mamba-*-hf, where d_inner is 160 for every size).
type Extra struct {
	Key   string
	Value string // JSON text without white space between tokens; may hold the bare tokens NaN and Infinity
}

// extra returns the JSON text of an extra key, empty if it is not there.
func (c *Common) extra(key string) string {
	for _, x := range c.Extra {
		if x.Key == key {
			return x.Value
		}
	}
	return ""
}

// Largest accepted sizes. The widest published model has 65024 rows of 4096; the caps only keep products of
// sizes inside an int64 and keep a few bytes of JSON from asking for gigabytes of tables.
const (
	maxWidth  = 1 << 28 // V, D, I, R
	maxInner  = 1 << 16 // N, K, E
	maxLayers = 1 << 12
	// maxExperts bounds those of all layers that have tensors of their own. The largest published model has some 20,000.
	maxExperts = 1 << 17
	// maxBytes bounds weights and states of the whole model at 8 bytes an element.
	maxBytes = 1 << 62
)

// sizes are the sizes that most families have.
func (c *Common) sizes() []handle {
	return []handle{
		size("V", &c.VocabSize), size("D", &c.HiddenSize), size("L", &c.NumHiddenLayers), size("N", &c.StateSize), size("K", &c.ConvKernel),
	}
}

// handles are those of Mamba and Mamba-2.
func (c *Common) handles() []handle {
	return append(c.sizes(),
		toggle("use_bias", &c.UseBias), toggle("use_conv_bias", &c.UseConvBias), toggle(keyTied, &c.TieWordEmbeddings),
	)
}

// fields binds the keys of config.json to c. What a key decides is that of Mamba; Mamba-2 differs in two.
func (c *Common) fields() []field {
	return []field{
		classesField("architectures", &c.Architectures).deciding(Nothing),
		intField("vocab_size", &c.VocabSize, 1, maxWidth).deciding(Tensors).spelled("vocab_size", "vocab_size"),
		intField("hidden_size", &c.HiddenSize, 1, maxWidth).deciding(Tensors).spelled("d_model", "dim"),
		intField("num_hidden_layers", &c.NumHiddenLayers, 1, maxLayers).deciding(Tensors).spelled("n_layer", "n_layers"),
		epsilonField("layer_norm_epsilon", &c.LayerNormEpsilon).deciding(Results).inGGUF(ggufEpsilon),
		intField("state_size", &c.StateSize, 1, maxInner).deciding(Tensors).spelled(ssm("d_state"), ""),
		idField("pad_token_id", &c.PadTokenID).deciding(Nothing),
		idField("bos_token_id", &c.BosTokenID).deciding(Nothing),
		idsField("eos_token_id", &c.EosTokenID).deciding(Nothing),
		intField("expand", &c.Expand, 1, maxInner).deciding(Nothing).spelled(ssm("expand"), ""), // intermediate_size states the width
		intField("conv_kernel", &c.ConvKernel, 1, maxInner).deciding(Tensors).spelled(ssm("d_conv"), ""),
		boolField("use_bias", &c.UseBias).deciding(Tensors).spelled(ssm("bias"), ""),
		boolField("use_conv_bias", &c.UseConvBias).deciding(Tensors).spelled(ssm("conv_bias"), ""),
		activationField("hidden_act", &c.HiddenAct).deciding(Nothing), // there is one activation, under two names
		floatField("initializer_range", &c.InitializerRange).deciding(Nothing),
		// In float32 the residual stream is float32 either way.
		boolField("residual_in_fp32", &c.ResidualInFP32).deciding(Nothing).spelled("residual_in_fp32", "residual_in_fp32"),
		floatField("time_step_min", &c.TimeStepMin).deciding(Nothing).spelled(ssm("dt_min"), ""),
		floatField("time_step_max", &c.TimeStepMax).deciding(Nothing).spelled(ssm("dt_max"), ""),
		floatField("time_step_floor", &c.TimeStepFloor).deciding(Nothing).spelled(ssm("dt_init_floor"), ""),
		boolField("rescale_prenorm_residual", &c.RescalePrenormResidual).deciding(Nothing), // but see Rescales
		boolField("use_cache", &c.UseCache).deciding(Nothing),
		optionalBoolField("output_hidden_states", &c.OutputHiddenStates).deciding(Nothing),
		boolField(keyTied, &c.TieWordEmbeddings).deciding(Tensors).spelled("tie_embeddings", "tie_embeddings"),
		dtypeField("torch_dtype", &c.DType).deciding(Nothing),
		dtypeAliasField("dtype", &c.DType).deciding(Nothing),
	}
}
