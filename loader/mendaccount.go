package loader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
)

// account says of a configuration that could not be read as a whole where each setting comes from, and refuses what is
// not known and results depend on. What it says comes before what was found after the first findings.
func (m *mender) account(cfg config.Config, first int) {
	var found []Finding
	if m.damage.err != nil {
		f := Finding{Problem: m.damage.err.Error()}
		m.sources(cfg, &f)
		switch f.Remedy = "rewritten with every setting that it has"; {
		case len(m.raw) == 0:
			f.Remedy = "made from the tensors"
		case m.damage.lost || len(m.damage.unread) > 0:
			f.Remedy = "rewritten with what can be read of it"
		}
		found = append(found, f)
	}
	if m.familyLost(cfg) {
		found = append(found, m.unknown(keyModelType, fmt.Sprintf("%q and %q have the same tensors and other results", config.Mamba, config.FalconMamba)))
	}
	for _, s := range config.Settings(cfg) {
		if s.Decides == config.Results && !m.known(cfg, s.Key) {
			found = append(found, m.unknown(config.Spelling(m.layout, cfg.Family(), s.Key), "results depend on it and no tensor shows it"))
		}
	}
	m.findings = slices.Insert(m.findings, first, found...)
}

// keyModelType names the family.
const keyModelType = "model_type"

// unknown is the finding about a setting that nothing tells.
func (m *mender) unknown(key, why string) Finding {
	return Finding{Problem: fmt.Sprintf("%s: %s: not in what can be read of the file; %s: download the file again, or add the key",
		m.file, key, why)}
}

// familyLost reports whether a model could be Mamba or FalconMamba for all that can be read. A whole file that states one
// epsilon would state the other of FalconMamba too.
func (m *mender) familyLost(cfg config.Config) bool {
	_, epsilon := m.raw.Get("layer_norm_epsilon")
	if whole := !m.damage.lost && len(m.damage.unread) == 0; whole && epsilon || cfg.Family() != config.Mamba || m.layout != "hf" {
		return false
	}
	classes, stated := m.raw.Get("architectures")
	_, typed := m.raw.Get(keyModelType)
	return !typed && !(stated && classes.Compact() != "null" && classes.Compact() != "[]")
}

// known reports whether a key's value follows from the file: from the key itself, or from its absence.
func (m *mender) known(cfg config.Config, key string) bool {
	if m.stated(cfg, key) {
		return true
	}
	switch { // the shapes show n_groups*state_size
	case key == "state_size" && cfg.Family() == config.Mamba2:
		return m.stated(cfg, "n_groups")
	case key == "n_groups":
		return m.stated(cfg, "state_size")
	}
	return false
}

// present reports whether the file has the key.
func (m *mender) present(cfg config.Config, key string) bool {
	if m.layout == layoutGGUF.name {
		return true // without them it does not open
	}
	spelling, _ := config.Spelled(m.layout, cfg.Family(), key)
	outer, inner, nested := strings.Cut(spelling, ".")
	v, there := m.raw.Get(outer)
	if nested {
		inside, _ := v.Members()
		_, there = inside.Get(inner)
	}
	return there
}

func (m *mender) stated(cfg config.Config, key string) bool {
	spelling, ok := config.Spelled(m.layout, cfg.Family(), key)
	if !ok {
		return true // every file of the layout means the same
	}
	outer, inner, nested := strings.Cut(spelling, ".")
	v, there := m.raw.Get(outer)
	unread := slices.Contains(m.damage.unread, outer)
	if !there || unread {
		return !m.damage.lost && !unread // the default
	}
	if !nested {
		return true
	}
	inside, _ := v.Members()
	_, there = inside.Get(inner)
	return there || !slices.Contains(m.damage.partial, outer)
}

// sources lists what was kept, what tensors show, and what has its default.
func (m *mender) sources(cfg config.Config, f *Finding) {
	unread := m.damage.unread
	for _, x := range m.raw {
		if !slices.Contains(unread, x.Key) {
			f.Kept = append(f.Kept, badfile.Printable(x.Key))
		}
	}
	if !m.damage.lost && len(unread) == 0 {
		return
	}
	for _, s := range config.Settings(cfg) {
		spelling, ok := config.Spelled(m.layout, cfg.Family(), s.Key)
		outer, _, _ := strings.Cut(spelling, ".")
		_, there := m.raw.Get(outer)
		if s.Key == "torch_dtype" && !there {
			_, there = m.raw.Get("dtype")
		}
		if !ok || there && !slices.Contains(unread, outer) || s.Text == "" {
			continue
		}
		switch {
		case s.Decides == config.Tensors, s.Key == "torch_dtype", s.Decides == config.Results && m.known(cfg, s.Key) && m.damage.lost:
			f.Inferred = append(f.Inferred, spelling+" "+s.Text)
		case s.Decides == config.Nothing:
			f.Defaults = append(f.Defaults, spelling)
		}
	}
}
