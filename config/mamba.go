package config

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// MambaConfig mirrors the class MambaConfig of transformers 5.24 (models/mamba/configuration_mamba.py): Mamba-1.
type MambaConfig struct {
	Common
	TimeStepRank       int // R, dt_rank; "auto" is resolved to ceil(D/16)
	TimeStepScale      float64
	TimeStepInitScheme string
	IntermediateSize   int // I, d_inner: E*D unless the file states it
	UseMambapy         bool
	UseAssociativeScan bool
}

// NewMamba returns the defaults of transformers 5.24, which are the sizes of state-spaces/mamba-130m
// except for the number of layers (32, not 24).
func NewMamba() *MambaConfig {
	pad, bos := 0, 0
	return &MambaConfig{
		Common: Common{
			Architectures:     []string{"MambaForCausalLM"},
			VocabSize:         50280,
			HiddenSize:        768,
			StateSize:         16,
			NumHiddenLayers:   32,
			LayerNormEpsilon:  1e-5,
			PadTokenID:        &pad,
			BosTokenID:        &bos,
			EosTokenID:        TokenIDs{IDs: []int{0}},
			Expand:            2,
			ConvKernel:        4,
			UseConvBias:       true,
			HiddenAct:         "silu",
			InitializerRange:  0.1,
			ResidualInFP32:    true,
			TimeStepMin:       0.001,
			TimeStepMax:       0.1,
			TimeStepFloor:     1e-4,
			UseCache:          true,
			TieWordEmbeddings: true,
		},
		TimeStepRank:       48,
		TimeStepScale:      1,
		TimeStepInitScheme: "random",
		IntermediateSize:   1536,
		UseAssociativeScan: true,
	}
}

var entryMamba = entry{
	family:  Mamba,
	title:   "Mamba",
	classes: []string{"MambaForCausalLM", "MambaModel"},
	fresh:   func() Config { return NewMamba() },
	ssm:     &ssmMamba,
	gguf:    llamaCppMamba,
	mlx:     mlxMamba,
}

// llamaCppMamba is how llama.cpp writes Mamba-1.
var llamaCppMamba = llamaCpp{
	arch: "mamba",
	sizes: []ggufSize{
		{".embedding_length", "D"}, {".block_count", "L"}, {".ssm.conv_kernel", "K"}, {".ssm.inner_size", "I"},
		{".ssm.state_size", "N"}, {".ssm.time_step_rank", "R"},
	},
	flag: ".ssm.dt_b_c_rms", // set for FalconMamba
	writable: func(c Config) error {
		if inner, width := c.DInner(), c.Shared().HiddenSize; inner != 2*width {
			return unsupported("intermediate_size", "found %d for a hidden_size of %d: llama.cpp runs Mamba-1 only with "+
				"an inner size of twice the width (expand 2)", inner, width)
		}
		return nil
	},
}

// Family returns Mamba.
func (c *MambaConfig) Family() Family { return Mamba }

// DInner returns IntermediateSize. The value stated in a file wins over expand*hidden_size, as in transformers.
func (c *MambaConfig) DInner() int { return c.IntermediateSize }

// ConvChannels returns DInner: the convolution of Mamba-1 runs over x alone.
func (c *MambaConfig) ConvChannels() int { return c.IntermediateSize }

// Validate implements Config.
func (c *MambaConfig) Validate() error { return validate(c, c.checkSize) }

// checkSize bounds the weights and the states of one sequence together.
func (c *MambaConfig) checkSize() error {
	d, i, r := float64(c.HiddenSize), float64(c.IntermediateSize), float64(c.TimeStepRank)
	n, k := float64(c.StateSize), float64(c.ConvKernel)
	weights := 3*i*d + i*(2*r+2*n) + i*(n+k+5) + 3*d
	state := i * (n + k)
	return checkBytes(2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*(weights+state))
}

// Clone implements Config.
func (c *MambaConfig) Clone() Config { return copyOf(c) }

// EncodeHF implements Config.
func (c *MambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// Layer implements Config.
func (c *MambaConfig) Layer(int) []Block { return []Block{BlockMamba1} }

// Summary implements Config.
func (c *MambaConfig) Summary() string { return fmt.Sprintf("dt_rank %d", c.TimeStepRank) }

func (c *MambaConfig) fields() []field {
	return append(c.Common.fields(),
		rankField("time_step_rank", &c.TimeStepRank).deciding(Tensors).spelled(ssm("dt_rank"), ""),
		floatField("time_step_scale", &c.TimeStepScale).deciding(Nothing).spelled(ssm("dt_scale"), ""),
		stringField("time_step_init_scheme", &c.TimeStepInitScheme).deciding(Nothing).spelled(ssm("dt_init"), ""),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors).spelled("d_model times "+ssm("expand"), ""),
		boolField("use_mambapy", &c.UseMambapy).deciding(Nothing),
		boolField("use_associative_scan", &c.UseAssociativeScan).deciding(Nothing),
	)
}

func (c *MambaConfig) handles() []handle {
	return append(c.Common.handles(), size("R", &c.TimeStepRank), size("I", &c.IntermediateSize))
}

func (c *MambaConfig) settle(Sizes) { c.fitExpand(c.IntermediateSize) }

func (c *MambaConfig) parse(keys jsonobj.Members) error { return c.read(keys, c.fields()) }

// read reads the fields of the family, among which are those of c, and resolves what others decide.
func (c *MambaConfig) read(keys jsonobj.Members, fields []field) error {
	c.TimeStepRank = rankAuto // unless the file says otherwise, hidden_size decides
	given, err := decode(keys, fields, &c.Common)
	if err != nil {
		return err
	}
	if err := checkFields(c.Common.fields()); err != nil {
		return err
	}
	if c.TimeStepRank == rankAuto {
		c.TimeStepRank = (c.HiddenSize + 15) / 16
	}
	if !given["intermediate_size"] {
		inner, err := c.expanded()
		if err != nil {
			return err
		}
		c.IntermediateSize = inner
	}
	if err := checkFields(fields); err != nil {
		return err
	}
	return c.checkSize()
}

// expanded returns expand*hidden_size.
func (c *Common) expanded() (int, error) {
	inner := int64(c.Expand) * int64(c.HiddenSize)
	if inner > maxWidth {
		return 0, formatError("expand", "found %d, which times hidden_size %d makes %d channels; expected at most %d",
			c.Expand, c.HiddenSize, inner, maxWidth)
	}
	return int(inner), nil
}

// ssmMamba is Mamba in mamba_ssm/modules/mamba_simple.py.
var ssmMamba = mambaSSM{
	layers: []string{"Mamba1", "Mamba"},
	defaults: func(width int) Config {
		c := NewMamba()
		c.TimeStepRank = (width + 15) / 16
		return c
	},
	arguments: func(c Config) ([]field, func(int) error) { return Selective(c).arguments() },
	kept:      []string{"use_fast_path"}, // mamba_ssm's choice of kernel
}

func (c *MambaConfig) arguments() (args []field, settle func(width int) error) {
	init := stringField("dt_init", &c.TimeStepInitScheme)
	init.check = func() bool { return c.TimeStepInitScheme == "random" || c.TimeStepInitScheme == "constant" }
	init.want = `"random" or "constant"`
	args = append([]field{
		intField("d_state", &c.StateSize, 1, maxInner),
		intField("d_conv", &c.ConvKernel, 1, maxInner),
		intField("expand", &c.Expand, 1, maxInner),
		rankField("dt_rank", &c.TimeStepRank),
		boolField("conv_bias", &c.UseConvBias),
		boolField("bias", &c.UseBias),
		finiteField(floatField("dt_scale", &c.TimeStepScale), &c.TimeStepScale),
		init,
	}, c.initialArguments()...)
	return args, func(width int) error {
		if c.TimeStepRank == rankAuto {
			c.TimeStepRank = (width + 15) / 16
		}
		if err := underKey(withinSSM, checkFields(args)); err != nil {
			return err
		}
		inner := int64(c.Expand) * int64(width)
		if inner > maxWidth {
			return formatError(ssm("expand"), "found %d, which times d_model %d is too wide", c.Expand, width)
		}
		c.IntermediateSize = int(inner)
		return nil
	}
}

// EncodeOriginal implements Config.
//
// What it drops without changing a result shows when ParseOriginal reads the outcome: token ids, for example, an expand
// that is not the ratio of the widths, and initial values that mamba_ssm would not start with.
func (c *MambaConfig) EncodeOriginal() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encodeOriginal(c.inOriginal())
}

// inOriginal returns the keys of the original layout.
func (c *MambaConfig) inOriginal() (*originalFile, error) {
	stated := c.Clone().(*MambaConfig)
	stated.Expand = c.IntermediateSize / c.HiddenSize
	if stated.Expand*c.HiddenSize != c.IntermediateSize || stated.Expand > maxInner {
		return nil, unsupported("intermediate_size", "found %d for a hidden_size of %d: the original layout holds only its ratio, "+
			"as an integer from 1 to %d", c.IntermediateSize, c.HiddenSize, maxInner)
	}
	return inOriginal(c, stated)
}

// EncodeMistral implements Config: mistral does not have such a model.
func (c *MambaConfig) EncodeMistral() ([]byte, error) {
	return nil, unsupported(keyModelType, "found %q: mistral's layout holds Mamba-2 models only", Mamba)
}
