package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
)

// account says of a configuration that could not be read as a whole where each setting comes from, and refuses what is
// not known and results depend on. What it says comes before what was found after the first findings.
func (d *doctor) account(cfg config.Config, first int) {
	var found []Finding
	if d.damage.err != nil {
		f := Finding{Problem: d.damage.err.Error()}
		d.sources(cfg, &f)
		switch f.Remedy = "rewritten with every setting that it has"; {
		case len(d.raw) == 0:
			f.Remedy = "made from the tensors"
		case d.damage.lost || len(d.damage.unread) > 0:
			f.Remedy = "rewritten with what can be read of it"
		}
		found = append(found, f)
	}
	if twin, lost := d.familyLost(cfg); lost {
		found = append(found, d.unknown(keyModelType, fmt.Sprintf("%q and %q have the same tensors and other results", cfg.Family(), twin)))
	}
	for _, s := range config.Settings(cfg) {
		if s.Decides == config.Results && !d.known(cfg, s.Key) {
			found = append(found, d.unknown(config.Spelling(d.layout.Name, cfg.Family(), s.Key), "results depend on it and no tensor shows it"))
		}
	}
	d.findings = slices.Insert(d.findings, first, found...)
}

// keyModelType names the family.
const keyModelType = "model_type"

// unknown is the finding about a setting that nothing shows.
func (d *doctor) unknown(key, why string) Finding {
	return Finding{Problem: fmt.Sprintf("%s: %s: not in what can be read of the file; %s: download the file again, or add the key",
		d.file, key, why)}
}

// familyLost reports whether a model could be of a family or its twin for all that can be read. A whole file that states
// one epsilon would state the other of FalconMamba too.
func (d *doctor) familyLost(cfg config.Config) (twin config.Family, lost bool) {
	twin, ok := config.Twin(cfg.Family())
	_, epsilon := d.raw.Get("layer_norm_epsilon")
	if whole := !d.damage.lost && len(d.damage.unread) == 0; whole && epsilon || !ok || !d.statesAll() {
		return "", false
	}
	classes, stated := d.raw.Get("architectures")
	_, typed := d.raw.Get(keyModelType)
	return twin, !typed && !(stated && classes.Compact() != "null" && classes.Compact() != "[]")
}

// known reports whether a key's value follows from the file: from the key itself, or from its absence, or from the other
// factor of a product that the shapes show.
func (d *doctor) known(cfg config.Config, key string) bool {
	other, ok := otherFactor(cfg, key)
	return d.stated(cfg, key) || ok && d.stated(cfg, other)
}

// present reports whether the file has the key.
func (d *doctor) present(cfg config.Config, key string) bool {
	if d.layout.Folder == nil {
		return true // without them it does not open
	}
	spelling, _ := config.Spelled(d.layout.Name, cfg.Family(), key)
	outer, inner, nested := strings.Cut(spelling, ".")
	v, there := d.raw.Get(outer)
	if nested {
		inside, _ := v.Members()
		_, there = inside.Get(inner)
	}
	return there
}

func (d *doctor) stated(cfg config.Config, key string) bool {
	spelling, ok := config.Spelled(d.layout.Name, cfg.Family(), key)
	if !ok {
		return true // every file of the layout means the same
	}
	outer, inner, nested := strings.Cut(spelling, ".")
	v, there := d.raw.Get(outer)
	unread := slices.Contains(d.damage.unread, outer)
	if !there || unread {
		return !d.damage.lost && !unread // the default
	}
	if !nested {
		return true
	}
	inside, _ := v.Members()
	_, there = inside.Get(inner)
	return there || !slices.Contains(d.damage.partial, outer)
}

// sources lists what was kept, what tensors show, and what has its default.
func (d *doctor) sources(cfg config.Config, f *Finding) {
	unread := d.damage.unread
	for _, x := range d.raw {
		if !slices.Contains(unread, x.Key) {
			f.Kept = append(f.Kept, badfile.Printable(x.Key))
		}
	}
	if !d.damage.lost && len(unread) == 0 {
		return
	}
	for _, s := range config.Settings(cfg) {
		spelling, ok := config.Spelled(d.layout.Name, cfg.Family(), s.Key)
		outer, _, _ := strings.Cut(spelling, ".")
		_, there := d.raw.Get(outer)
		if s.Key == "torch_dtype" && !there {
			_, there = d.raw.Get("dtype")
		}
		if !ok || there && !slices.Contains(unread, outer) || s.Text == "" {
			continue
		}
		switch {
		case s.Decides == config.Tensors, s.Key == "torch_dtype", s.Decides == config.Results && d.known(cfg, s.Key) && d.damage.lost:
			f.Inferred = append(f.Inferred, spelling+" "+s.Text)
		case s.Decides == config.Nothing:
			f.Defaults = append(f.Defaults, spelling)
		}
	}
}
