package config

import (
	"fmt"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Mamba3Config describes a model of Mamba-3 mixers, each perhaps followed by a gated MLP. Only mamba_ssm has such models:
// fields are the arguments of Mamba3 in its modules/mamba3.py and of MambaConfig. There is no convolution.
type Mamba3Config struct {
	Common
	NumHeads         int     // H
	HeadDim          int     // P; H*P is d_inner
	NGroups          int     // G: head h reads B and C of group h/(H/G)
	RopeFraction     float64 // of the states, those that turn: 0.5 or 1
	AFloor           float64 // of -A
	MIMO             bool    // several inputs and outputs share the states of a head
	MIMORank         int     // how many, with MIMO
	OutNorm          bool    // what each head gives is normed before the gate
	IntermediateSize int     // of the MLPs, rounded up to a multiple of 128; 0: there are none
	FuseNorm         bool    // mamba_ssm's choice of kernel
	ChunkSize        int     // of the chunked algorithm; does not affect results
}

// Mamba3Eps is the epsilon of all norms of Mamba-3; no key states it.
const Mamba3Eps = 1e-5

// NewMamba3 returns the defaults of mamba_ssm for a width of 768.
func NewMamba3() *Mamba3Config { return newMixer3(768) }

// newMixer3 returns the defaults of the constructor for a model of that width.
func newMixer3(width int) *Mamba3Config {
	return &Mamba3Config{
		Common: Common{
			VocabSize: 50280, HiddenSize: width, StateSize: 128, NumHiddenLayers: 64, LayerNormEpsilon: Mamba3Eps, Expand: 2,
			HiddenAct: "silu", InitializerRange: 0.02, ResidualInFP32: true, TimeStepMin: 0.001, TimeStepMax: 0.1,
			TimeStepFloor: 1e-4, TieWordEmbeddings: true, UseCache: true,
		},
		NumHeads: 2 * width / 64, HeadDim: 64, NGroups: 1, RopeFraction: 0.5, AFloor: 1e-4, MIMORank: 4, FuseNorm: true, ChunkSize: 64,
	}
}

var entryMamba3 = entry{
	family: Mamba3,
	title:  "Mamba-3",
	fresh:  func() Config { return NewMamba3() },
	ssm: &mambaSSM{
		layers:      []string{"Mamba3"},
		layer:       "Mamba3",
		defaults:    func(width int) Config { return newMixer3(width) },
		arguments:   func(c Config) ([]field, func(int) error) { return c.(*Mamba3Config).arguments() },
		feedForward: func(c Config) *int { return &c.(*Mamba3Config).IntermediateSize },
		lenient:     true,
	},
	gguf: llamaCpp{writable: func(Config) error { return onlyOriginal("llama.cpp") }},
}

// onlyOriginal is the error of a program that does not have Mamba-3.
func onlyOriginal(program string) error {
	return unsupported(keyModelType, "found %q: %s does not have Mamba-3 models", Mamba3, program)
}

// Family returns Mamba3.
func (c *Mamba3Config) Family() Family { return Mamba3 }

// DInner returns num_heads*head_dim, which Validate makes sure is expand*hidden_size.
func (c *Mamba3Config) DInner() int { return c.NumHeads * c.HeadDim }

// ConvChannels returns 0: there is no convolution.
func (c *Mamba3Config) ConvChannels() int { return 0 }

// Rank returns R, how many inputs and outputs share the states of a head.
func (c *Mamba3Config) Rank() int {
	if c.MIMO {
		return c.MIMORank
	}
	return 1
}

// Angles returns how many pairs of states turn.
func (c *Mamba3Config) Angles() int { return int(float64(c.StateSize)*c.RopeFraction) / 2 }

// FeedForward returns W, the width of the MLPs: mamba_ssm rounds it up.
func (c *Mamba3Config) FeedForward() int { return roundUp(c.IntermediateSize, mlpMultiple) }

// projected returns the rows of in_proj.
func (c *Mamba3Config) projected() int {
	return 2*c.DInner() + 2*c.Rank()*c.NGroups*c.StateSize + 3*c.NumHeads + c.Angles()
}

// Validate implements Config.
func (c *Mamba3Config) Validate() error {
	return validate(c, c.checkHeads, c.checkSize)
}

// checkSize bounds the weights and the states of one sequence together.
func (c *Mamba3Config) checkSize() error {
	d, i := float64(c.HiddenSize), float64(c.DInner())
	bias := 2 * float64(c.NumHeads) * float64(c.Rank()) * float64(c.StateSize)
	layer := d*(float64(c.projected())+i+3*float64(c.FeedForward())+2) + bias + i*(3*float64(c.Rank())+float64(c.StateSize)+2)
	return checkBytes(2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*layer)
}

// checkHeads reports heads that do not make up the channels, groups that do not divide the heads, and states that cannot be paired.
func (c *Mamba3Config) checkHeads() error {
	inner, err := c.expanded()
	pairs := 2
	if c.MIMO && c.RopeFraction < 1 {
		pairs = 4 // mamba_ssm takes the states in quarters
	}
	switch {
	case err != nil:
		return err
	case int64(c.NumHeads)*int64(c.HeadDim) != int64(inner):
		return formatError("head_dim", "found %d, which times %d heads makes %d channels; expected expand*hidden_size = %d",
			c.HeadDim, c.NumHeads, int64(c.NumHeads)*int64(c.HeadDim), inner)
	case c.NumHeads%c.NGroups != 0:
		return formatError("n_groups", "found %d, which does not divide the %d heads", c.NGroups, c.NumHeads)
	case c.StateSize%pairs != 0:
		return formatError("state_size", "found %d, expected a multiple of %d", c.StateSize, pairs)
	case float64(c.Rank())*float64(max(c.NGroups, c.NumHeads))*float64(c.StateSize) > maxWidth:
		return formatError("mimo_rank", "found %d, which times the groups, heads and states is too wide", c.Rank())
	}
	return nil
}

// Clone implements Config.
func (c *Mamba3Config) Clone() Config { return copyOf(c) }

// EncodeHF implements Config: transformers does not have such a model.
func (c *Mamba3Config) EncodeHF() ([]byte, error) { return nil, onlyOriginal("transformers") }

// EncodeMistral implements Config: mistral does not have such a model.
func (c *Mamba3Config) EncodeMistral() ([]byte, error) { return nil, onlyOriginal("mistral-inference") }

// EncodeOriginal implements Config.
func (c *Mamba3Config) EncodeOriginal() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encodeOriginal(inOriginal(c, c))
}

// Layer implements Config.
func (c *Mamba3Config) Layer(int) []Block {
	if c.IntermediateSize > 0 {
		return []Block{BlockMamba3, BlockGatedMLP}
	}
	return []Block{BlockMamba3}
}

// Summary implements Config.
func (c *Mamba3Config) Summary() string {
	words := []string{fmt.Sprintf("%s of %d", badfile.Count(c.NumHeads, "head"), c.HeadDim), fmt.Sprintf("n_groups %d", c.NGroups), "SISO"}
	if c.MIMO {
		words[2] = fmt.Sprintf("MIMO of rank %d", c.MIMORank)
	}
	if c.IntermediateSize > 0 {
		words = append(words, fmt.Sprintf("MLP of %d", c.FeedForward()))
	}
	return strings.Join(words, ", ")
}

func (c *Mamba3Config) fields() []field {
	return []field{
		intField("vocab_size", &c.VocabSize, 1, maxWidth).deciding(Tensors).spelled("vocab_size", ""),
		intField("hidden_size", &c.HiddenSize, 1, maxWidth).deciding(Tensors).spelled("d_model", ""),
		intField("num_hidden_layers", &c.NumHiddenLayers, 1, maxLayers).deciding(Tensors).spelled("n_layer", ""),
		intField("intermediate_size", &c.IntermediateSize, 0, maxWidth).deciding(Tensors).spelled(keyIntermediate, ""),
		intField("state_size", &c.StateSize, 1, maxInner).deciding(Tensors).spelled(ssm("d_state"), ""),
		intField("expand", &c.Expand, 1, maxInner).deciding(Tensors).spelled(ssm("expand"), ""),
		intField("head_dim", &c.HeadDim, 1, maxWidth).deciding(Tensors).spelled(ssm("headdim"), ""),
		intField("n_groups", &c.NGroups, 1, maxInner).deciding(Results).spelled(ssm("ngroups"), ""),
		c.fractionField("rope_fraction").deciding(Results).spelled(ssm("rope_fraction"), ""),
		positiveField("A_floor", &c.AFloor).deciding(Results).spelled(ssm("A_floor"), ""),
		boolField("is_mimo", &c.MIMO).deciding(Tensors).spelled(ssm("is_mimo"), ""),
		intField("mimo_rank", &c.MIMORank, 1, maxInner).deciding(Tensors).counting(c.MIMO).spelled(ssm("mimo_rank"), ""),
		boolField("is_outproj_norm", &c.OutNorm).deciding(Tensors).spelled(ssm("is_outproj_norm"), ""),
		boolField(keyTied, &c.TieWordEmbeddings).deciding(Tensors).spelled("tie_embeddings", ""),
		boolField("fuse_pregate_headwise_norm", &c.FuseNorm).deciding(Nothing).spelled(ssm("fuse_pregate_headwise_norm"), ""),
		intField("chunk_size", &c.ChunkSize, 1, maxWidth).deciding(Nothing).spelled(ssm("chunk_size"), ""),
		boolField("residual_in_fp32", &c.ResidualInFP32).deciding(Nothing).spelled("residual_in_fp32", ""),
		floatField("time_step_min", &c.TimeStepMin).deciding(Nothing).spelled(ssm("dt_min"), ""),
		floatField("time_step_max", &c.TimeStepMax).deciding(Nothing).spelled(ssm("dt_max"), ""),
		floatField("time_step_floor", &c.TimeStepFloor).deciding(Nothing).spelled(ssm("dt_init_floor"), ""),
		dtypeField("torch_dtype", &c.DType).deciding(Nothing),
	}
}

// fractionField is the share of the states that turn, of which mamba_ssm has two.
func (c *Mamba3Config) fractionField(key string) field {
	f := floatField(key, &c.RopeFraction)
	f.check = func() bool { return c.RopeFraction == 0.5 || c.RopeFraction == 1 }
	f.want = "0.5 or 1"
	return f
}

func positiveField(key string, p *float64) field {
	f := epsilonField(key, p)
	f.check = func() bool { return 0 < *p && *p <= 1 }
	f.want = "a number above 0, at most 1"
	return f
}

func (c *Mamba3Config) handles() []handle {
	inner, rows, rank, wide := c.DInner(), c.projected(), c.Rank(), c.FeedForward()
	return []handle{
		size("V", &c.VocabSize), size("D", &c.HiddenSize), size("L", &c.NumHiddenLayers), size("N", &c.StateSize),
		size("H", &c.NumHeads), size("P", &c.HeadDim), size("G", &c.NGroups), size("I", &inner), size("IN", &rows), size("R", &rank), size("W", &wide),
		toggle("is_mimo", &c.MIMO), toggle("is_outproj_norm", &c.OutNorm), toggle(keyTied, &c.TieWordEmbeddings),
	}
}

// settle adapts what the heads, the rows of in_proj and the MLPs show.
func (c *Mamba3Config) settle(shown Sizes) {
	c.fitExpand(shown["I"])
	if inner := shown["I"]; inner > 0 && c.NumHeads > 0 && inner%c.NumHeads == 0 {
		c.HeadDim = inner / c.NumHeads
	}
	if rank := shown["R"]; rank > 1 || rank == 1 && c.MIMO {
		c.MIMO, c.MIMORank = true, rank
	}
	if wide, ok := shown["W"]; ok && wide != c.FeedForward() {
		c.IntermediateSize = wide
	}
	each := 2 * c.Rank() * c.StateSize
	if rest := shown["IN"] - 2*shown["I"] - 3*c.NumHeads - c.Angles(); each > 0 && rest > 0 && rest%each == 0 {
		c.NGroups = rest / each
	}
}

func (c *Mamba3Config) parse(keys jsonobj.Members) error {
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	return c.Validate()
}

func (c *Mamba3Config) arguments() (args []field, settle func(width int) error) {
	args = append([]field{
		intField("d_state", &c.StateSize, 1, maxInner),
		intField("expand", &c.Expand, 1, maxInner),
		intField("headdim", &c.HeadDim, 1, maxWidth),
		intField("ngroups", &c.NGroups, 1, maxInner),
		c.fractionField("rope_fraction"),
		positiveField("A_floor", &c.AFloor),
		boolField("is_outproj_norm", &c.OutNorm),
		boolField("is_mimo", &c.MIMO),
		intField("mimo_rank", &c.MIMORank, 1, maxInner),
		boolField("fuse_pregate_headwise_norm", &c.FuseNorm),
		intField("chunk_size", &c.ChunkSize, 1, maxWidth),
	}, c.initialArguments()...)
	return args, func(width int) error {
		if err := underKey(withinSSM, checkFields(args)); err != nil {
			return err
		}
		inner := int64(c.Expand) * int64(width)
		switch {
		case inner > maxWidth:
			return formatError(ssm("expand"), "found %d, which times d_model %d is too wide", c.Expand, width)
		case inner%int64(c.HeadDim) != 0:
			return formatError(ssm("headdim"), "found %d, which does not divide expand*d_model = %d", c.HeadDim, inner)
		}
		c.NumHeads = int(inner) / c.HeadDim
		return nil
	}
}
