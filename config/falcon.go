package config

import "github.com/gomamba/gomamba/internal/jsonobj"

// FalconMambaConfig mirrors the class FalconMambaConfig of transformers 5.24
// (models/falcon_mamba/configuration_falcon_mamba.py): Mamba-1 with an RMS norm without weight on each of dt, B and C.
// No tensor shows these norms; only model_type, and in GGUF a flag, tells the two families apart.
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

// Selective returns the Mamba-1 part of a configuration, which that of FalconMamba has in common with it, or nil.
// It points into the configuration.
func Selective(c Config) *MambaConfig {
	switch c := c.(type) {
	case *MambaConfig:
		return c
	case *FalconMambaConfig:
		return &c.MambaConfig
	}
	return nil
}

// Family returns FalconMamba.
func (c *FalconMambaConfig) Family() Family { return FalconMamba }

// Validate implements Config.
func (c *FalconMambaConfig) Validate() error { return c.validate(c.fields()) }

// Clone implements Config.
func (c *FalconMambaConfig) Clone() Config {
	d := *c
	d.Common = c.Common.clone()
	return &d
}

// EncodeHF implements Config.
func (c *FalconMambaConfig) EncodeHF() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encode(FalconMamba, c.fields(), c.Extra)
}

func (c *FalconMambaConfig) fields() []field {
	return append(c.MambaConfig.fields(), epsilonField("mixer_rms_eps", &c.MixerRMSEps).deciding(Results))
}

// keyBCdtRMS is how mlx-lm and early files say that norms on B, C and dt make a Mamba-1 model a FalconMamba one.
const keyBCdtRMS = "use_bcdt_rms"

// parseFalcon reads the keys of a FalconMamba config.json.
func parseFalcon(keys jsonobj.Members) (Config, error) {
	if on, stated := flag(keys, keyBCdtRMS); stated && !on {
		return nil, formatError(keyBCdtRMS, "found false, which contradicts model_type %q; correct the wrong one", FalconMamba)
	}
	c := NewFalconMamba()
	if err := c.parse(keys, c.fields()); err != nil {
		return nil, err
	}
	return c, nil
}

// flag returns a key that is true or false.
func flag(keys jsonobj.Members, key string) (on, stated bool) {
	v, ok := keys.Get(key)
	if !ok {
		return false, false
	}
	return v.Bool()
}
