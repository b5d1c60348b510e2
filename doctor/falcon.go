package doctor

import (
	"math"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// falcon returns what gives a FalconMamba model away that is said to be a plain Mamba one.
func (d *doctor) falcon(cfg config.Config) string {
	c, ok := cfg.(*config.MambaConfig)
	if !ok {
		return ""
	}
	for _, key := range []string{"mixer_rms_eps", "use_falcon_mambapy"} {
		if _, ok := d.raw.Get(key); ok {
			return "it has the key " + key
		}
	}
	for _, key := range []string{"model_type", "architectures", "_name_or_path"} {
		if v, ok := d.raw.Get(key); ok && isFalcon(v.Compact()) {
			return key + " is " + badfile.Quote(v.Compact())
		}
	}
	for _, kv := range d.w.Keys {
		if name, err := kv.Value.Str(); err == nil && strings.HasPrefix(kv.Key, "general.") && isFalcon(name) {
			return kv.Key + " is " + badfile.Quote(name)
		}
	}
	if c.HiddenSize == 4096 && c.NumHiddenLayers == 64 && c.VocabSize == 65024 && c.StateSize == 16 {
		return "its sizes are those of tiiuae/falcon-mamba-7b and no other model's"
	}
	return ""
}

// isFalcon reports whether a name is that of a FalconMamba model or class.
func isFalcon(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "falcon") && strings.Contains(name, "mamba")
}

// asFalcon makes the configuration of a Mamba model that of FalconMamba.
func (d *doctor) asFalcon(c *config.MambaConfig) *config.FalconMambaConfig {
	f := config.NewFalconMamba()
	classes := f.Architectures
	f.MambaConfig = *c.Clone().(*config.MambaConfig)
	f.Architectures = classes
	f.Extra = slices.DeleteFunc(f.Extra, func(e config.Extra) bool {
		if e.Key != "mixer_rms_eps" {
			return e.Key == "use_bcdt_rms"
		}
		v, err := jsonobj.ParseValue(e.Value)
		eps, ok := v.Float()
		if err != nil || !ok || !(0 <= eps && eps <= math.MaxFloat32) {
			d.add("", "%s: mixer_rms_eps: found %s, which has no meaning, and results depend on it", d.file, v)
			return true
		}
		f.MixerRMSEps = eps
		return true
	})
	return f
}
