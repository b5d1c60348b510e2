package config

import "github.com/gomamba/gomamba/internal/jsonobj"

// FalconMambaConfig mirrors the class FalconMambaConfig of transformers 5.24
// (models/falcon_mamba/configuration_falcon_mamba.py): Mamba-1 with an RMS norm without weight on each of dt, B and C.
// No tensor shows these norms; only model_type, and in GGUF a flag, distinguishes the two families.
type FalconMambaConfig struct {
	MambaConfig
	MixerRMSEps float64 // added to the mean square in the norms of dt, B and C
}

// NewFalconMamba returns the defaults of transformers 5.24. The files of tiiuae/falcon-mamba-7b state other sizes.
func NewFalconMamba() *FalconMambaConfig {
	c := &FalconMambaConfig{MambaConfig: *NewMamba(), MixerRMSEps: 1e-6}
	c.Architectures = []string{"FalconMambaForCausalLM"}
	return c
}

var entryFalconMamba = entry{
	family:  FalconMamba,
	title:   "FalconMamba",
	classes: []string{"FalconMambaForCausalLM", "FalconMambaModel"},
	fresh:   func() Config { return NewFalconMamba() },
	twin:    twin{of: Mamba, flag: "use_bcdt_rms"}, // in files of mlx-lm, and early ones
	gguf:    llamaCppMamba.flagged(completeFalconMamba),
	mlx:     mlxMamba,
}

// completeFalconMamba takes layer_norm_epsilon for the norms of dt, B and C, as llama.cpp does, which has one key for both.
func completeFalconMamba(c Config, _ Sizes) error {
	c.(*FalconMambaConfig).MixerRMSEps = c.Shared().LayerNormEpsilon
	return nil
}

// Selective returns the Mamba-1 part of a configuration, which that of FalconMamba has in common with it, or nil.
// It points into the configuration.
func Selective(c Config) *MambaConfig {
	switch c := c.(type) {
	case *MambaConfig:
		return c
	case *FalconMambaConfig:
		return &c.MambaConfig
	case *MambaSSMConfig:
		return Selective(c.Config)
	}
	return nil
}

// Family returns FalconMamba.
func (c *FalconMambaConfig) Family() Family { return FalconMamba }

// Validate implements Config.
func (c *FalconMambaConfig) Validate() error { return validate(c, c.checkSize) }

// Clone implements Config.
func (c *FalconMambaConfig) Clone() Config { return copyOf(c) }

// EncodeHF implements Config.
func (c *FalconMambaConfig) EncodeHF() ([]byte, error) { return encodeHF(c) }

// EncodeOriginal implements Config: mamba_ssm does not have such a model.
func (c *FalconMambaConfig) EncodeOriginal() ([]byte, error) {
	return nil, unsupported(keyModelType, "found %q: the original layout has no norms on dt, B and C, and its code would compute "+
		"other results from these weights", FalconMamba)
}

// EncodeMistral implements Config: mistral does not have such a model.
func (c *FalconMambaConfig) EncodeMistral() ([]byte, error) {
	return nil, unsupported(keyModelType, "found %q: mistral's layout holds Mamba-2 models only", FalconMamba)
}

// Layer implements Config.
func (c *FalconMambaConfig) Layer(int) []Block { return []Block{BlockFalconMamba} }

func (c *FalconMambaConfig) fields() []field {
	return append(c.MambaConfig.fields(), epsilonField("mixer_rms_eps", &c.MixerRMSEps).deciding(Results))
}

func (c *FalconMambaConfig) parse(keys jsonobj.Members) error { return c.read(keys, c.fields()) }
