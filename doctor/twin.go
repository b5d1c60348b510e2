package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// signs are what gives a model of a family away if its configuration states the plain one with the same tensors.
type signs struct {
	unseen string       // what no tensor shows
	keys   []string     // that only its configuration has
	words  []string     // that are in its names, in lower case
	sizes  config.Sizes // of a published model
	model  string       // which that is
}

// twins lists the signs of each family that has the tensors of another.
var twins = map[config.Family]signs{
	config.FalconMamba: {
		unseen: "norms of dt, B and C",
		keys:   []string{"mixer_rms_eps", "use_falcon_mambapy"},
		words:  []string{"falcon", "mamba"},
		sizes:  config.Sizes{"D": 4096, "L": 64, "V": 65024, "N": 16},
		model:  "tiiuae/falcon-mamba-7b",
	},
}

// twin returns the family of a model whose configuration states the plain one with the same tensors, and what gives it away.
func (d *doctor) twin(cfg config.Config) (twin config.Family, why string) {
	twin, ok := config.Twin(cfg.Family())
	if !ok {
		return "", ""
	}
	s := twins[twin]
	for _, key := range s.keys {
		if _, ok := d.raw.Get(key); ok {
			return twin, "it has the key " + key
		}
	}
	for _, key := range []string{"model_type", "architectures", "_name_or_path"} {
		if v, ok := d.raw.Get(key); ok && s.named(v.Compact()) {
			return twin, key + " is " + badfile.Quote(v.Compact())
		}
	}
	for _, kv := range d.w.Keys {
		if name, err := kv.Value.Str(); err == nil && strings.HasPrefix(kv.Key, "general.") && s.named(name) {
			return twin, kv.Key + " is " + badfile.Quote(name)
		}
	}
	sizes := config.SizesOf(cfg)
	for symbol, n := range s.sizes {
		if sizes[symbol] != n {
			return "", ""
		}
	}
	return twin, "its sizes are those of " + s.model + " and no other model's"
}

// named reports whether a name is that of such a model or class.
func (s *signs) named(name string) bool {
	name = strings.ToLower(name)
	return !slices.ContainsFunc(s.words, func(word string) bool { return !strings.Contains(name, word) })
}

// as makes the configuration of a plain model that of its twin.
func (d *doctor) as(twin config.Family, cfg config.Config) config.Config {
	is, bad := config.As(twin, cfg)
	for _, x := range bad {
		v, _ := jsonobj.ParseValue(x.Value)
		d.add("", "%s: %s: found %s, which has no meaning, and results depend on it", d.file, x.Key, v)
	}
	return is
}

// added lists the settings that results depend on and that only is has, for a remedy.
func added(was, is config.Config) string {
	has := make(map[string]bool)
	for _, s := range config.Settings(was) {
		has[s.Key] = true
	}
	text := ""
	for _, s := range config.Settings(is) {
		if !has[s.Key] && s.Decides == config.Results {
			text += fmt.Sprintf(", %s %s", s.Key, s.Canonical)
		}
	}
	return text
}
