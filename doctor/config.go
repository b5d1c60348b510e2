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
)

// config reads the configuration and repairs it; cfg is what there is already, of a GGUF file. It returns nil if neither
// file nor tensors say enough.
func (d *doctor) config(cfg config.Config) config.Config {
	var err error
	if cfg == nil {
		cfg, err = d.parse()
	}
	family := d.family()
	if cfg != nil && config.Hybrid(cfg.Family()) {
		family = "" // which the tensors of a hybrid do not show
	}
	switch {
	case d.lostHybrid(cfg, err):
		return nil
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
	case family != "" && family != config.Plain(cfg.Family()):
		d.add("rewritten for "+string(family)+": sizes from the tensors", "%s: model_type: found %q, but the tensors are those of %s",
			d.file, cfg.Family(), family)
		cfg = d.remake(family)
	default:
		d.lacksNames(cfg)
		cfg = d.fit(cfg)
	}
	if twin, why := d.twin(cfg); why != "" {
		unseen, is := twins[twin].unseen, d.as(twin, cfg)
		d.add(fmt.Sprintf("model_type is %s%s", twin, added(cfg, is)), "%s: says a plain %s model, but %s: this is %s, whose %s no tensor "+
			"shows; without them the numbers are wrong and nothing fails", d.file, config.Title(cfg.Family()), why, config.Title(twin), unseen)
		cfg = is
	}
	d.minor(cfg)
	return cfg
}

// minor settles what keeps nobody from using the model: what is odd about the file, the dtype, and a key that makes
// transformers change the weights.
func (d *doctor) minor(cfg config.Config) {
	c := cfg.Shared()
	if d.statesAll() && c.DType == "" {
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

// lacksNames looks for the two keys by which programs choose what to load a model with.
func (d *doctor) lacksNames(cfg config.Config) {
	if !d.statesAll() {
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
		d.add(fmt.Sprintf("model_type is %q", cfg.Family()), "%s: model_type: found %s, but %s is true: this is %s; "+
			"transformers would leave its %s out, without a word", d.file, badfile.Quote(v.Compact()), config.TwinFlag(cfg.Family()),
			config.Title(cfg.Family()), twins[cfg.Family()].unseen)
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
		other, factor := otherFactor(cfg, key)
		switch {
		case !there && d.damage.lost:
			continue // it is among what is listed as inferred
		case !there && factor && !d.present(cfg, other):
			d.add("", "%s: %s: missing, and its default %s contradicts the tensors: %s", d.file, key, was, productOnly(key, other))
			continue
		case !there:
			d.add(key+" is "+is, "%s: %s: missing, and its default %s contradicts the tensors, which say %s", d.file, key, was, is)
			continue
		case key == "tie_word_embeddings":
			why = "but there is no lm_head.weight"
		case factor:
			why += fmt.Sprintf(", if the other of %s and %s is right: %s", max(key, other), min(key, other), productOnly(key, other))
		}
		d.add(key+" is "+is, "%s: %s: found %s, %s", d.file, key, was, why)
	}
	return fitted
}

// inferred are the keys that tensors show, and those of which they show only the product.
func inferred(cfg config.Config) []string {
	keys := []string{"expand"}
	for _, s := range config.Settings(cfg) {
		_, factor := otherFactor(cfg, s.Key)
		if s.Key != "tie_word_embeddings" && (s.Decides == config.Tensors || factor) && s.Key != "expand" {
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
	if d.statesAll() {
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
	cfg := config.New(family)
	d.factorise(cfg)
	cfg.Shared().TieWordEmbeddings = true // until the head is looked at
	cfg = layout.Fit(cfg, d.w.Tensors)
	if v, ok := d.raw.Get(keyModelType); ok {
		if twin, has := config.Twin(family); has && v.Compact() == strconv.Quote(string(twin)) {
			return d.as(twin, cfg)
		}
	}
	return cfg
}

// keysOf renders a configuration in the dialect of the layout.
func (d *doctor) keysOf(cfg config.Config) (jsonobj.Members, error) {
	text, err := d.folder().Encode(cfg)
	if err != nil {
		return nil, err
	}
	return jsonobj.Parse(text)
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
