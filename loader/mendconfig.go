package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// config reads the configuration and puts it right; cfg is what there is already, of a GGUF file. It returns nil where
// neither file nor tensors tell enough.
func (m *mender) config(cfg config.Config) config.Config {
	var err error
	if cfg == nil {
		cfg, err = m.parse()
	}
	family := m.family()
	switch {
	case err != nil && (family == "" || !mendable(err)):
		m.hopeless(err)
		return nil
	case err != nil:
		rest := "all else from what can be read of it"
		if len(m.raw) == 0 {
			rest = "all else as transformers has it by default"
			if family == config.Mamba {
				rest += "; that it is not FalconMamba is taken for granted"
			}
		}
		if family == config.Mamba2 {
			rest += "; " + productOnly + ", and the state_size that was said, or is usual, is taken for granted where it divides that"
		}
		m.add("made anew: sizes from the tensors, "+rest, "%v", err)
		cfg = m.remake(family)
		if v, ok := m.raw.Get("model_type"); ok && v.Compact() == `"falcon_mamba"` && family == config.Mamba {
			return asFalcon(cfg.(*config.MambaConfig))
		}
	case family != "" && (family == config.Mamba2) != (cfg.Family() == config.Mamba2):
		m.add("made anew for "+string(family)+": sizes from the tensors", "%s: model_type: found %q, but the tensors are those of %s",
			m.file, cfg.Family(), family)
		cfg = m.remake(family)
	default:
		m.lacksNames(cfg)
		cfg = m.fit(cfg)
	}
	if why := m.falcon(cfg); why != "" {
		m.add("taken for FalconMamba, with model_type falcon_mamba", "%s: says a plain Mamba model, but %s: this is FalconMamba, "+
			"whose norms of dt, B and C no tensor shows; without them the numbers are wrong and nothing fails", m.file, why)
		cfg = asFalcon(cfg.(*config.MambaConfig))
	}
	return cfg
}

// parse reads the configuration of a folder, and its keys where it is at least JSON.
func (m *mender) parse() (config.Config, error) {
	data, err := jsonobj.ReadFile(m.file, config.MaxFile)
	switch linked := notLinked(m.file, err); {
	case err == nil:
	case linked != err || !errors.Is(err, fs.ErrNotExist):
		return nil, linked
	default:
		return nil, &badfile.FormatError{File: m.file, Detail: "missing; it holds the model's settings"}
	}
	m.raw, _ = jsonobj.Parse(data) // whatever parses the file will say what is wrong with it
	switch m.layout {
	case "original":
		return wholeConfig(m.file, config.ParseOriginal)
	case layoutMistral.name:
		return wholeConfig(m.file, config.ParseMistral)
	}
	return config.ParseHF(m.file, data)
}

// productOnly is what the tensors of Mamba-2 leave open.
const productOnly = "of n_groups and state_size the tensors tell only the product"

// lacksNames looks for the two keys by which programs choose what to load a model with.
func (m *mender) lacksNames(cfg config.Config) {
	if m.layout != "hf" {
		return
	}
	const used = "llama.cpp, vLLM and other programs choose the model's class by it"
	if v, ok := m.raw.Get("architectures"); !ok || v.Compact() == "null" || v.Compact() == "[]" {
		m.add("architectures is "+config.Value(cfg, "architectures"), "%s: architectures: missing; %s", m.file, used)
	} else if class, known := config.Class(cfg.Family(), cfg.Shared().Architectures); !known {
		cfg.Shared().Architectures = []string{class}
		m.add("architectures is "+config.Value(cfg, "architectures"), "%s: architectures: found %s, expected %s; %s",
			m.file, badfile.Quote(v.Compact()), badfile.Quote(class), used)
	}
	if v, ok := m.raw.Get("model_type"); !ok || v.Compact() == "null" {
		m.add(fmt.Sprintf("model_type is %q", cfg.Family()), "%s: model_type: missing; transformers chooses the model's class by it", m.file)
	} else if v.Compact() != strconv.Quote(string(cfg.Family())) {
		m.add(fmt.Sprintf("model_type is %q", cfg.Family()), "%s: model_type: found %s, but use_bcdt_rms is true: this is FalconMamba; "+
			"transformers would leave its norms of dt, B and C out, without a word", m.file, badfile.Quote(v.Compact()))
	}
}

// fit makes sizes and switches those of the tensors.
func (m *mender) fit(cfg config.Config) config.Config {
	notes := m.w.notes
	fitted := trust(cfg, m.w)
	m.w.notes = notes // said here in other words
	for _, key := range config.Differing(cfg, fitted) {
		was, is := config.Value(cfg, key), config.Value(fitted, key)
		why := "the tensors say " + is
		switch {
		case key == "tie_word_embeddings":
			why = "but there is no lm_head.weight"
		case cfg.Family() == config.Mamba2 && (key == "n_groups" || key == "state_size"):
			why += ", if the other of state_size and n_groups is right: " + productOnly
		}
		m.add(key+" is "+is, "%s: %s: found %s, %s", m.file, key, was, why)
	}
	return fitted
}

// told are the keys that tensors tell.
var told = []string{
	"vocab_size", "hidden_size", "num_hidden_layers", "conv_kernel", "intermediate_size", "state_size", "time_step_rank", "expand",
	"num_heads", "head_dim", "n_groups", "use_bias", "use_conv_bias",
}

// remake makes a configuration from the tensors, and says in what it differs from what the old one says.
func (m *mender) remake(family config.Family) config.Config {
	cfg, unread := m.rebuild(family)
	for _, key := range slices.Concat(told, unread) {
		v, ok := m.raw.Get(key)
		is := config.Value(cfg, key)
		switch was := v.Compact(); {
		case !ok || was == is || was == `"auto"`:
		case is == "":
			m.add(key+" is left at its default", "%s: %s: found %s, which has no meaning", m.file, key, v)
		case slices.Contains(unread, key):
			m.add(key+" is "+is, "%s: %s: found %s, which has no meaning", m.file, key, v)
		case family == config.Mamba2 && key == "time_step_rank": // which its tensors do not tell
		default:
			m.add(key+" is "+is, "%s: %s: found %s, the tensors say %s", m.file, key, v, is)
		}
	}
	return cfg
}

// maxBadKeys is how many keys of a configuration may be unreadable before nothing of it is kept.
const maxBadKeys = 100

// rebuild makes a configuration from the tensors, and keeps of the old one what makes sense. It returns the keys that
// make none.
func (m *mender) rebuild(family config.Family) (cfg config.Config, unread []string) {
	cfg = config.NewMamba()
	if family == config.Mamba2 {
		c := config.NewMamba2()
		c.StateSize = m.stateSize(c.StateSize)
		c.NGroups = 1 // until the tensors say more
		cfg = c
	}
	cfg.Shared().TieWordEmbeddings = true // until the head is looked at
	notes := m.w.notes
	cfg = trust(cfg, m.w)
	m.w.notes = notes
	text, err := cfg.EncodeHF()
	if err != nil || len(m.raw) == 0 || config.IsOriginal(object(m.raw)) || config.IsMistral(object(m.raw)) {
		return cfg, nil // examining it will tell
	}
	keys, err := jsonobj.Parse(text)
	if err != nil {
		return cfg, nil
	}
	for range maxBadKeys {
		drop := slices.Concat(told, []string{"architectures", "model_type"}, unread)
		whole, err := config.ParseHF(m.file, object(merged(keys, m.raw, drop)))
		if err == nil {
			return whole, unread
		}
		bad, ok := errors.AsType[*badfile.FormatError](err)
		if !ok || bad.Where == "" || slices.Contains(drop, bad.Where) {
			break
		}
		unread = append(unread, bad.Where)
	}
	return cfg, unread
}

// stateSize returns a Mamba-2 model's state size, which the tensors tell only together with the number of groups: what
// the old configuration says, or what its number of groups leaves, or else the usual size, where that divides, and else
// that of one group.
func (m *mender) stateSize(usual int) int {
	both, inner := 0, 0
	for _, t := range m.w.tensors {
		switch {
		case t.Name == blocksPrefix+"0.mixer.norm.weight" && len(t.Shape) == 1:
			inner = t.Shape[0]
		case t.Name == blocksPrefix+"0.mixer.conv1d.weight" && len(t.Shape) == 3:
			both = t.Shape[0]
		}
	}
	both = (both - inner) / 2
	var ssm jsonobj.Members // the arguments of mamba_ssm's mixer
	if v, ok := m.raw.Get("ssm_cfg"); ok {
		ssm, _ = v.Members()
	}
	said := func(key, argument string) (n int, divides bool) {
		v, ok := m.raw.Get(key)
		if !ok {
			v, ok = ssm.Get(argument)
		}
		if n, isInt := v.Int(); ok && isInt && n > 0 && both > 0 && both%n == 0 {
			return n, true
		}
		return 0, false
	}
	if n, ok := said("state_size", "d_state"); ok {
		return n
	}
	if n, ok := said("n_groups", "ngroups"); ok {
		return both / n
	}
	if both > 0 && both%usual != 0 {
		return both
	}
	return usual
}

// merged returns base with the keys of more put in, except those to drop.
func merged(base, more jsonobj.Members, drop []string) jsonobj.Members {
	dropped, given := make(map[string]bool, len(drop)), make(map[string]bool, len(more))
	for _, key := range drop {
		dropped[key] = true
	}
	var out jsonobj.Members
	for _, e := range more {
		if !dropped[e.Key] {
			out = append(out, e)
			given[e.Key] = true
		}
	}
	return append(out, slices.DeleteFunc(slices.Clone(base), func(e jsonobj.Member) bool { return given[e.Key] })...)
}

// object renders keys as JSON.
func object(keys jsonobj.Members) []byte {
	out := []byte("{")
	for i, e := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsonobj.AppendString(out, e.Key), ':')
		out = append(out, e.Value.Compact()...)
	}
	return append(out, '}')
}

// falcon returns what gives a FalconMamba model away that is said to be a plain Mamba one.
func (m *mender) falcon(cfg config.Config) string {
	c, ok := cfg.(*config.MambaConfig)
	if !ok {
		return ""
	}
	for _, key := range []string{"mixer_rms_eps", "use_falcon_mambapy"} {
		if _, ok := m.raw.Get(key); ok {
			return "it has the key " + key
		}
	}
	for _, key := range []string{"model_type", "architectures", "_name_or_path"} {
		if v, ok := m.raw.Get(key); ok && isFalcon(v.Compact()) {
			return key + " is " + badfile.Quote(v.Compact())
		}
	}
	for _, kv := range m.w.keys {
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
func asFalcon(c *config.MambaConfig) *config.FalconMambaConfig {
	f := config.NewFalconMamba()
	classes := f.Architectures
	f.MambaConfig = *c.Clone().(*config.MambaConfig)
	f.Architectures = classes
	f.Extra = slices.DeleteFunc(f.Extra, func(e config.Extra) bool {
		if e.Key != "mixer_rms_eps" {
			return e.Key == "use_bcdt_rms"
		}
		if v, err := jsonobj.ParseValue(e.Value); err == nil {
			if eps, ok := v.Float(); ok {
				f.MixerRMSEps = eps
			}
		}
		return true
	})
	return f
}
