package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
)

// config reads the configuration and repairs it; cfg is what there is already, of a GGUF file. It returns nil if neither
// file nor tensors say enough.
func (d *doctor) config(cfg config.Config) config.Config {
	var err error
	if cfg == nil {
		cfg, err = d.parse()
	}
	family := d.family()
	switch {
	case err != nil && (family == "" || !repairable(err)):
		if d.damage.err != nil {
			d.unfixable(d.damage.err)
		}
		if len(d.raw) > 0 || d.damage.err == nil {
			d.unfixable(err)
		}
		return nil
	case err != nil:
		if len(d.raw) > 0 {
			d.add("rewritten: sizes from the tensors, all else from what can be read of it", "%v", err)
		}
		cfg = d.remake(family)
	case family != "" && (family == config.Mamba2) != (cfg.Family() == config.Mamba2):
		d.add("rewritten for "+string(family)+": sizes from the tensors", "%s: model_type: found %q, but the tensors are those of %s",
			d.file, cfg.Family(), family)
		cfg = d.remake(family)
	default:
		d.lacksNames(cfg)
		cfg = d.fit(cfg)
	}
	if why := d.falcon(cfg); why != "" {
		f := d.asFalcon(cfg.(*config.MambaConfig))
		d.add(fmt.Sprintf("model_type is falcon_mamba, mixer_rms_eps %v", f.MixerRMSEps), "%s: says a plain Mamba model, but %s: this is "+
			"FalconMamba, whose norms of dt, B and C no tensor shows; without them the numbers are wrong and nothing fails", d.file, why)
		cfg = f
	}
	d.minor(cfg)
	return cfg
}

// minor settles what keeps nobody from using the model: what is odd about the file, the dtype, and a key that makes
// transformers change the weights.
func (d *doctor) minor(cfg config.Config) {
	c := cfg.Shared()
	if d.layout == layout.HF && c.DType == "" {
		c.DType = d.dtype()
	}
	for _, n := range d.notes {
		remedy := "not so in a copy"
		key := n.Key
		if key == "dtype" {
			key = "torch_dtype" // as it is written
		}
		if value := config.Value(cfg, key); value != "" {
			remedy = key + " is " + value
		}
		d.add(remedy, "%s", n)
	}
	if c.Rescales() {
		d.add("rescale_prenorm_residual is false", "%s: rescale_prenorm_residual: found true, with which transformers divides every "+
			"out_proj.weight by the root of num_hidden_layers when it loads the model, and computes other results", d.file)
		c.RescalePrenormResidual = false
	}
}

// dtype is the one of all tensors, as config.json spells it; empty if they have several.
func (d *doctor) dtype() string {
	common := ""
	for _, t := range d.w.Tensors {
		name := ""
		if t.DType.Float() {
			name = t.DType.Torch()
		}
		if common == "" {
			common = name
		} else if name != common {
			return ""
		}
	}
	return common
}

// productOnly is what the tensors of Mamba-2 leave open.
const productOnly = "of n_groups and state_size the tensors tell only the product"

// lacksNames looks for the two keys by which programs choose what to load a model with.
func (d *doctor) lacksNames(cfg config.Config) {
	if d.layout != layout.HF {
		return
	}
	const used = "llama.cpp, vLLM and other programs choose the model's class by it"
	if v, ok := d.raw.Get("architectures"); !ok || v.Compact() == "null" || v.Compact() == "[]" {
		d.add("architectures is "+config.Value(cfg, "architectures"), "%s: architectures: missing; %s", d.file, used)
	} else if class, known := config.Class(cfg.Family(), cfg.Shared().Architectures); !known {
		cfg.Shared().Architectures = []string{class}
		d.add("architectures is "+config.Value(cfg, "architectures"), "%s: architectures: found %s, expected %s; %s",
			d.file, badfile.Quote(v.Compact()), badfile.Quote(class), used)
	}
	if v, ok := d.raw.Get("model_type"); !ok || v.Compact() == "null" {
		d.add(fmt.Sprintf("model_type is %q", cfg.Family()), "%s: model_type: missing; transformers chooses the model's class by it", d.file)
	} else if v.Compact() != strconv.Quote(string(cfg.Family())) {
		d.add(fmt.Sprintf("model_type is %q", cfg.Family()), "%s: model_type: found %s, but use_bcdt_rms is true: this is FalconMamba; "+
			"transformers would leave its norms of dt, B and C out, without a word", d.file, badfile.Quote(v.Compact()))
	}
}

// fit makes sizes and switches those of the tensors.
func (d *doctor) fit(cfg config.Config) config.Config {
	fitted := layout.Fit(d.sized(cfg), d.w.Tensors)
	for _, key := range config.Differing(cfg, fitted) {
		was, is := config.Value(cfg, key), config.Value(fitted, key)
		if was == "" || was == is {
			continue
		}
		why := "the tensors say " + is
		there := d.present(cfg, key)
		switch {
		case !there && d.damage.lost:
			continue // it is among what is listed as inferred
		case !there && (key == "n_groups" || key == "state_size") && !d.present(cfg, "n_groups") && !d.present(cfg, "state_size"):
			d.add("", "%s: %s: missing, and its default %s contradicts the tensors: %s", d.file, key, was, productOnly)
			continue
		case !there:
			d.add(key+" is "+is, "%s: %s: missing, and its default %s contradicts the tensors, which say %s", d.file, key, was, is)
			continue
		case key == "tie_word_embeddings":
			why = "but there is no lm_head.weight"
		case cfg.Family() == config.Mamba2 && (key == "n_groups" || key == "state_size"):
			why += ", if the other of state_size and n_groups is right: " + productOnly
		}
		d.add(key+" is "+is, "%s: %s: found %s, %s", d.file, key, was, why)
	}
	return fitted
}

// sized gives a Mamba-2 model whose configuration does not state its state_size the one that its n_groups leave.
func (d *doctor) sized(cfg config.Config) config.Config {
	c, ok := cfg.Clone().(*config.Mamba2Config)
	if !ok || d.present(cfg, "state_size") || !d.present(cfg, "n_groups") {
		return cfg
	}
	if both := d.product(); both%c.NGroups == 0 && both > 0 {
		c.StateSize = both / c.NGroups
	}
	return c
}

// inferred are the keys that tensors show, those of Mamba-2 that only their product shows among them.
func inferred(cfg config.Config) []string {
	keys := []string{"expand"}
	for _, s := range config.Settings(cfg) {
		product := s.Key == "n_groups" || s.Key == "state_size"
		if s.Key != "tie_word_embeddings" && (s.Decides == config.Tensors || product) && s.Key != "expand" {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// remake makes a configuration from the tensors, and says in what it differs from what the old one says.
func (d *doctor) remake(family config.Family) config.Config {
	cfg, unread := d.rebuild(family)
	decides := make(map[string]config.Decides)
	for _, s := range config.Settings(cfg) {
		decides[s.Key] = s.Decides
	}
	for _, key := range slices.Concat(inferred(cfg), unread) {
		v, ok := d.raw.Get(key)
		is := config.Value(cfg, key)
		switch was := v.Compact(); {
		case !ok || was == is || was == `"auto"`:
		case slices.Contains(unread, key) && decides[key] == config.Results:
			d.add("", "%s: %s: found %s, which has no meaning, and results depend on it", d.file, key, v)
		case is == "":
			d.add(key+" is left at its default", "%s: %s: found %s, which has no meaning", d.file, key, v)
		case slices.Contains(unread, key):
			d.add(key+" is "+is, "%s: %s: found %s, which has no meaning", d.file, key, v)
		default:
			d.add(key+" is "+is, "%s: %s: found %s, the tensors say %s", d.file, key, v, is)
		}
	}
	return cfg
}

// maxBadKeys is how many keys of a configuration may be unreadable before nothing of it is kept.
const maxBadKeys = 100

// rebuild makes a configuration from the tensors, and keeps of the old one what makes sense. It returns the keys that
// make none. Where nothing of the old one can be kept, it is lost.
func (d *doctor) rebuild(family config.Family) (cfg config.Config, unread []string) {
	base := d.fromTensors(family)
	keys, err := d.keysOf(base)
	if err != nil {
		return base, nil // examining it will show why
	}
	var drop []string
	if d.layout == layout.HF {
		drop = append(inferred(base), "architectures", keyModelType)
	}
	for range maxBadKeys {
		cfg, err := d.parseText(object(merged(keys, d.raw, append(drop, unread...))))
		if err == nil {
			return layout.Fit(cfg, d.w.Tensors), unread
		}
		bad, ok := errors.AsType[*badfile.FormatError](err)
		if _, there := d.raw.Get(whereOf(bad)); !ok || !there || slices.Contains(append(drop, unread...), bad.Where) {
			break
		}
		unread = append(unread, bad.Where)
	}
	d.raw, d.damage.lost = nil, true
	return base, nil
}

// whereOf is the key that an error is about.
func whereOf(err *badfile.FormatError) string {
	if err == nil {
		return ""
	}
	return err.Where
}

// fromTensors makes a configuration with the sizes of the tensors, and defaults for all else.
func (d *doctor) fromTensors(family config.Family) config.Config {
	cfg := config.Config(config.NewMamba())
	if family == config.Mamba2 {
		c := config.NewMamba2()
		c.StateSize = d.stateSize(c.StateSize)
		c.NGroups = 1 // until the tensors say more
		cfg = c
	}
	cfg.Shared().TieWordEmbeddings = true // until the head is looked at
	cfg = layout.Fit(cfg, d.w.Tensors)
	if v, ok := d.raw.Get(keyModelType); ok && v.Compact() == `"falcon_mamba"` && family == config.Mamba {
		return d.asFalcon(cfg.(*config.MambaConfig))
	}
	return cfg
}

// keysOf renders a configuration in the dialect of the layout.
func (d *doctor) keysOf(cfg config.Config) (jsonobj.Members, error) {
	encode := cfg.EncodeHF
	switch d.layout {
	case layout.Original:
		encode = cfg.EncodeOriginal
	case layout.Mistral:
		encode = cfg.EncodeMistral
	}
	text, err := encode()
	if err != nil {
		return nil, err
	}
	return jsonobj.Parse(text)
}

// product returns n_groups*state_size of a Mamba-2 model, 0 if the tensors do not show it.
func (d *doctor) product() int {
	both, inner := 0, 0
	for _, t := range d.w.Tensors {
		switch {
		case t.Name == names.Blocks+"0.mixer.norm.weight" && len(t.Shape) == 1:
			inner = t.Shape[0]
		case t.Name == names.Blocks+"0.mixer.conv1d.weight" && len(t.Shape) == 3:
			both = t.Shape[0]
		}
	}
	return max(both-inner, 0) / 2
}

// stateSize returns a Mamba-2 model's state size, which the tensors tell only together with the number of groups: what
// the old configuration says, or what its number of groups leaves, or else the usual size, where that divides, and else
// that of one group.
func (d *doctor) stateSize(fallback int) int {
	both := d.product()
	var ssm jsonobj.Members // the arguments of mamba_ssm's mixer
	if v, ok := d.raw.Get("ssm_cfg"); ok {
		ssm, _ = v.Members()
	}
	stated := func(key, argument string) (n int, divides bool) {
		v, ok := d.raw.Get(key)
		if !ok {
			v, ok = ssm.Get(argument)
		}
		if n, isInt := v.Int(); ok && isInt && n > 0 && both > 0 && both%n == 0 {
			return n, true
		}
		return 0, false
	}
	if n, ok := stated("state_size", "d_state"); ok {
		return n
	}
	if n, ok := stated("n_groups", "ngroups"); ok {
		return both / n
	}
	if both > 0 && both%fallback != 0 {
		return both
	}
	return fallback
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
