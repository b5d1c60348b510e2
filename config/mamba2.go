package config

import (
	"fmt"
	"math"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Mamba2Config mirrors the class Mamba2Config of transformers 5.24 (models/mamba2/configuration_mamba2.py).
// The symbols are those of the Mamba-2 paper (arXiv:2405.21060, section 7 and Listing 1).
type Mamba2Config struct {
	Common
	NumHeads      int        // H
	HeadDim       int        // P; H*P is d_inner
	NGroups       int        // G: head h reads B and C of group h/(H/G)
	TimeStepRank  int        // stated by transformers and used by nothing; "auto" is resolved to ceil(D/16)
	TimeStepLimit [2]float64 // dt is clamped to it after the softplus; (0, +Inf) changes nothing
	ChunkSize     int        // of the chunked algorithm; does not affect results
}

// NewMamba2 returns the defaults of transformers 5.24, which are the sizes of Mamba-Codestral-7B.
func NewMamba2() *Mamba2Config {
	pad, bos := 1, 0
	return &Mamba2Config{
		Common: Common{
			Architectures:    []string{"Mamba2ForCausalLM"},
			VocabSize:        32768,
			HiddenSize:       4096,
			StateSize:        128,
			NumHiddenLayers:  64,
			LayerNormEpsilon: 1e-5,
			PadTokenID:       &pad,
			BosTokenID:       &bos,
			EosTokenID:       TokenIDs{IDs: []int{2}},
			Expand:           2,
			ConvKernel:       4,
			UseConvBias:      true,
			HiddenAct:        "silu",
			InitializerRange: 0.1,
			ResidualInFP32:   true,
			TimeStepMin:      0.001,
			TimeStepMax:      0.1,
			TimeStepFloor:    1e-4,
			UseCache:         true,
		},
		NumHeads:      128,
		HeadDim:       64,
		NGroups:       8,
		TimeStepRank:  256,
		TimeStepLimit: noLimit,
		ChunkSize:     256,
	}
}

var entryMamba2 = entry{
	family:  Mamba2,
	title:   "Mamba-2",
	classes: []string{"Mamba2ForCausalLM", "Mamba2Model"},
	fresh:   func() Config { return NewMamba2() },
	product: &product{[2]string{"state_size", "n_groups"}, groupedStates},
	ssm:     &ssmMamba2,
	gguf: llamaCpp{
		arch: "mamba2",
		sizes: []ggufSize{
			{".embedding_length", "D"}, {".block_count", "L"}, {".ssm.conv_kernel", "K"}, {".ssm.inner_size", "I"},
			{".ssm.state_size", "N"}, {".ssm.time_step_rank", "H"}, {".ssm.group_count", "G"},
		},
		piecesFirst: true,
		writable: func(c Config) error {
			if m := c.(*Mamba2Config); m.LimitsTimeStep() {
				return unsupported("time_step_limit", "found %v: llama.cpp does not have a key for it and would not limit dt", m.TimeStepLimit)
			}
			return nil
		},
		complete: completeMamba2,
	},
	mlx: mlxMamba2,
}

// completeMamba2 judges the sizes that llama.cpp's keys state, and adds what they leave open.
func completeMamba2(c Config, stated Sizes) error {
	inner, heads, width := stated["I"], stated["H"], stated["D"]
	if inner%heads != 0 {
		return formatError("mamba2.ssm.inner_size", "found %d, expected a multiple of the heads, which are %d by ssm.time_step_rank",
			inner, heads)
	}
	if inner%width != 0 {
		return unsupported("mamba2.ssm.inner_size", "found %d, expected a multiple of the width %d: transformers does not have such a model",
			inner, width)
	}
	c.(*Mamba2Config).TimeStepRank = (width + 15) / 16
	return nil
}

// noLimit is the time_step_limit that clamps nothing: a softplus is never negative.
var noLimit = [2]float64{0, math.Inf(1)}

// Family returns Mamba2.
func (c *Mamba2Config) Family() Family { return Mamba2 }

// DInner returns num_heads*head_dim, which Validate makes sure is expand*hidden_size.
func (c *Mamba2Config) DInner() int { return c.NumHeads * c.HeadDim }

// ConvChannels returns C, the channels of the convolution: those of x, of B and of C, in this order.
func (c *Mamba2Config) ConvChannels() int { return c.DInner() + 2*c.NGroups*c.StateSize }

// LimitsTimeStep reports whether time_step_limit can change a result.
func (c *Mamba2Config) LimitsTimeStep() bool {
	return c.TimeStepLimit[0] > 0 || !math.IsInf(c.TimeStepLimit[1], 1)
}

// Validate implements Config.
func (c *Mamba2Config) Validate() error { return validate(c, c.checkHeads, c.checkSize) }

// checkHeads reports heads that do not make up the channels, or groups that do not divide the heads.
func (c *Mamba2Config) checkHeads() error {
	inner, err := c.expanded()
	switch {
	case err != nil:
		return err
	case int64(c.NumHeads)*int64(c.HeadDim) != int64(inner):
		return formatError("num_heads", "found %d, which times head_dim %d makes %d channels; expected expand*hidden_size = %d",
			c.NumHeads, c.HeadDim, int64(c.NumHeads)*int64(c.HeadDim), inner)
	case c.NumHeads%c.NGroups != 0:
		return formatError("n_groups", "found %d, which does not divide num_heads %d", c.NGroups, c.NumHeads)
	case int64(2*c.NGroups)*int64(c.StateSize)+2*int64(inner) > maxWidth:
		return formatError("n_groups", "found %d, which times state_size %d is too wide", c.NGroups, c.StateSize)
	}
	return nil
}

// checkSize bounds the weights and the states of one sequence together.
func (c *Mamba2Config) checkSize() error {
	d, i, h := float64(c.HiddenSize), float64(c.DInner()), float64(c.NumHeads)
	n, k, conv := float64(c.StateSize), float64(c.ConvKernel), float64(c.ConvChannels())
	weights := d*(3*i+conv+h+3) + conv*(k+1) + 3*h + 2*i
	state := conv*k + i*n
	return checkBytes(2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*(weights+state))
}

// Clone implements Config.
func (c *Mamba2Config) Clone() Config { return copyOf(c) }

// EncodeHF implements Config.
func (c *Mamba2Config) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *Mamba2Config) Layer(int) []Block { return []Block{BlockMamba2} }

// Summary implements Config.
func (c *Mamba2Config) Summary() string {
	return fmt.Sprintf("%s of %d, n_groups %d", badfile.Count(c.NumHeads, "head"), c.HeadDim, c.NGroups)
}

func (c *Mamba2Config) fields() []field {
	fields := c.Common.fields()
	for i, f := range fields {
		switch f.key {
		case "state_size":
			fields[i].decides = Results // the shapes show only its product with n_groups
		case "expand":
			fields[i].decides = Tensors // there is no intermediate_size
		}
	}
	return append(fields,
		intField("head_dim", &c.HeadDim, 1, maxWidth).deciding(Tensors).spelled(ssm("headdim"), ""),
		intField("num_heads", &c.NumHeads, 1, maxWidth).deciding(Tensors).
			spelled("d_model times "+ssm("expand")+" over "+ssm("headdim"), ""),
		intField("n_groups", &c.NGroups, 1, maxInner).deciding(Results).spelled(ssm("ngroups"), "n_groups"),
		rankField("time_step_rank", &c.TimeStepRank).deciding(Nothing).spelled(ssm("dt_rank"), ""),
		limitField("time_step_limit", &c.TimeStepLimit).deciding(Results).spelled(ssm("dt_limit"), ""),
		intField("chunk_size", &c.ChunkSize, 1, maxWidth).deciding(Nothing).spelled(ssm("chunk_size"), ""),
	)
}

func (c *Mamba2Config) handles() []handle {
	return append(c.Common.handles(), size("H", &c.NumHeads), size("P", &c.HeadDim), size("G", &c.NGroups))
}

// groupedStates returns n_groups*state_size: beside x, the convolution runs over B and C of every group.
func groupedStates(shown Sizes) int { return (shown["C"] - shown["I"]) / 2 }

// settle divides the channels among the heads, and what the convolution runs over beside them between groups and states.
// Shapes show only the product of these: state_size stands if it divides that, or else n_groups.
func (c *Mamba2Config) settle(shown Sizes) {
	inner := shown["I"]
	c.fitExpand(inner)
	if c.NumHeads > 0 && inner%c.NumHeads == 0 && inner > 0 {
		c.HeadDim = inner / c.NumHeads
	}
	divideStates(groupedStates(shown), &c.NGroups, &c.StateSize)
}

// divideStates adapts groups and states of a group to their product, if it is known and they do not make it.
func divideStates(product int, groups, states *int) {
	switch {
	case product <= 0 || product == *groups**states:
	case product%*states == 0:
		*groups = product / *states
	case product%*groups == 0:
		*states = product / *groups
	}
}

func (c *Mamba2Config) parse(keys jsonobj.Members) error {
	c.TimeStepRank = rankAuto
	if _, err := decode(keys, c.fields(), &c.Common); err != nil {
		return err
	}
	if err := c.refuseMixers(); err != nil {
		return err
	}
	if c.TimeStepRank == rankAuto {
		c.TimeStepRank = (c.HiddenSize + 15) / 16
	}
	return c.Validate()
}

// refuseMixers names a mixer that transformers does not have, which a key says that it does not know: files of the
// original code's converter carry some of them with the value of the usual mixer.
func (c *Mamba2Config) refuseMixers() error {
	for _, e := range c.Extra {
		for _, m := range mixers2 {
			if e.Key == m.key && e.Value != m.usual && e.Value != "null" {
				return unsupported(e.Key, "found %s: %s; only %s is supported", e.Value, m.what, m.usual)
			}
		}
	}
	return nil
}
