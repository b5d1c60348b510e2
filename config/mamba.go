package config

import "github.com/gomamba/gomamba/internal/jsonobj"

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

// Family returns Mamba.
func (c *MambaConfig) Family() Family { return Mamba }

// DInner returns IntermediateSize. The value stated in a file wins over expand*hidden_size, as in transformers.
func (c *MambaConfig) DInner() int { return c.IntermediateSize }

// ConvChannels returns DInner: the convolution of Mamba-1 runs over x alone.
func (c *MambaConfig) ConvChannels() int { return c.IntermediateSize }

// Validate implements Config.
func (c *MambaConfig) Validate() error { return c.validate(c.fields()) }

// validate judges the fields of the family, among which are those of c.
func (c *MambaConfig) validate(fields []field) error {
	if err := checkFields(fields); err != nil {
		return err
	}
	if err := c.checkSize(); err != nil {
		return err
	}
	return checkExtra(c.Extra, fields)
}

// checkSize bounds the weights and the states of one sequence together.
func (c *MambaConfig) checkSize() error {
	d, i, r := float64(c.HiddenSize), float64(c.IntermediateSize), float64(c.TimeStepRank)
	n, k := float64(c.StateSize), float64(c.ConvKernel)
	weights := 3*i*d + i*(2*r+2*n) + i*(n+k+5) + 3*d
	state := i * (n + k)
	return checkBytes(2*float64(c.VocabSize)*d + float64(c.NumHiddenLayers)*(weights+state))
}

// Clone implements Config.
func (c *MambaConfig) Clone() Config {
	d := *c
	d.Common = c.Common.clone()
	return &d
}

// EncodeHF implements Config.
func (c *MambaConfig) EncodeHF() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encode(Mamba, c.fields(), c.Extra)
}

func (c *MambaConfig) fields() []field {
	return append(c.Common.fields(),
		rankField("time_step_rank", &c.TimeStepRank).deciding(Tensors),
		floatField("time_step_scale", &c.TimeStepScale).deciding(Nothing),
		stringField("time_step_init_scheme", &c.TimeStepInitScheme).deciding(Nothing),
		intField("intermediate_size", &c.IntermediateSize, 1, maxWidth).deciding(Tensors),
		boolField("use_mambapy", &c.UseMambapy).deciding(Nothing),
		boolField("use_associative_scan", &c.UseAssociativeScan).deciding(Nothing),
	)
}

// parseMamba reads the keys of a Mamba-1 config.json, which is FalconMamba's where use_bcdt_rms says so.
func parseMamba(keys jsonobj.Members) (Config, error) {
	if on, _ := flag(keys, keyBCdtRMS); on {
		c := NewFalconMamba()
		if err := c.parse(keys, c.fields()); err != nil {
			return nil, err
		}
		c.Architectures = NewFalconMamba().Architectures
		return c, nil
	}
	c := NewMamba()
	if err := c.parse(keys, c.fields()); err != nil {
		return nil, err
	}
	return c, nil
}

// parse reads the fields of the family, among which are those of c, and resolves what others decide.
func (c *MambaConfig) parse(keys jsonobj.Members, fields []field) error {
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
