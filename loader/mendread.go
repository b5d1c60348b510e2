package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// damage is what is wrong with the file of the configuration.
type damage struct {
	err     error    // why it cannot be read as it is; nil: it can
	lost    bool     // it may have had more keys
	partial []string // keys of objects that may have had more keys
	unread  []string // keys whose values cannot be read
}

// readConfig reads the file of the configuration as far as it can be read, and takes its dialect for the layout: the
// other dialects of config.json are not recognised in a damaged file.
func (m *mender) readConfig() {
	m.file = filepath.Join(m.src.dir, filenames.Config)
	if m.layout == layoutMistral.name {
		m.file, _ = mistralFolder(m.src)
	} else if !exists(m.file) && exists(filepath.Join(m.src.dir, filenames.Consolidated)) {
		m.layout, m.file = layoutMistral.name, filepath.Join(m.src.dir, filenames.Params)
	}
	data, err := jsonobj.ReadFile(m.file, config.MaxFile)
	switch linked := notLinked(m.file, err); {
	case err == nil:
	case linked != err || !errors.Is(err, fs.ErrNotExist):
		m.damage = damage{err: linked, lost: true}
		return
	default:
		m.damage = damage{err: &badfile.FormatError{File: m.file, Detail: "missing; it holds the model's settings"}, lost: true}
		return
	}
	keys, odd, err := jsonobj.ParseNoting(data)
	if m.raw = keys; err == nil {
		for _, o := range odd {
			m.notes = append(m.notes, config.Note{File: m.file, Key: o.Key, Detail: o.What})
		}
		m.lift()
		return
	}
	found := jsonobj.Salvage(data)
	m.raw = found.Members
	m.damage = damage{lost: found.Lost, partial: found.Partial, unread: found.Unread,
		err: &badfile.FormatError{File: m.file, Detail: described(found.Damage)}}
	if m.layout == "hf" {
		switch text := object(m.raw); {
		case config.IsOriginal(text):
			m.layout = layoutOriginal.name
		case config.IsMistral(text):
			m.layout = layoutMistral.name
		}
	}
	m.lift()
}

// described lists the first few kinds of damage.
func described(list []string) string {
	text := strings.Join(list[:min(len(list), maxNamed)], "; ")
	if more := len(list) - maxNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// lift moves settings to the top level that are inside an object, such as text_config, in a file without sizes.
func (m *mender) lift() {
	if _, flat := m.raw.Get("hidden_size"); flat || m.layout != "hf" {
		return
	}
	for i, x := range m.raw {
		path, inside := settingsIn(x.Key, x.Value, maxNested)
		if inside == nil {
			continue
		}
		m.add("read as if they stood at the top level, as they do in a copy",
			"%s: %s: holds the settings of the model, which transformers reads at the top level only", m.file, badfile.Quote(path))
		m.raw = merged(inside, slices.Delete(slices.Clone(m.raw), i, i+1), nil)
		return
	}
}

// maxNested is how many objects deep settings are looked for.
const maxNested = 3

// settingsIn returns the object with a model's sizes that v is or holds, and the way to it.
func settingsIn(key string, v jsonobj.Value, depth int) (path string, settings jsonobj.Members) {
	inside, ok := v.Members()
	if !ok || depth == 0 {
		return "", nil
	}
	_, sized := inside.Get("hidden_size")
	_, deep := inside.Get("num_hidden_layers")
	_, wide := inside.Get("vocab_size")
	if sized && (deep || wide) {
		return key, inside
	}
	for _, x := range inside {
		if path, settings = settingsIn(key+"."+x.Key, x.Value, depth-1); settings != nil {
			return path, settings
		}
	}
	return "", nil
}

// parse reads the configuration from its keys. A value that is spelled as another type is read as what it says.
func (m *mender) parse() (config.Config, error) {
	if len(m.raw) == 0 && m.damage.err != nil {
		return nil, m.damage.err
	}
	for range maxBadKeys {
		cfg, err := m.parseText(object(m.raw))
		if bad, ok := errors.AsType[*badfile.FormatError](err); ok && m.respell(bad) {
			continue
		}
		if err == nil {
			m.notes = append(m.notes, cfg.Shared().Notes()...)
		}
		return cfg, err
	}
	return m.parseText(object(m.raw))
}

// parseText reads a configuration in the dialect of the layout.
func (m *mender) parseText(text []byte) (config.Config, error) {
	switch m.layout {
	case layoutOriginal.name:
		return m.whole(text, config.ParseOriginal)
	case layoutMistral.name:
		return m.whole(text, config.ParseMistral)
	}
	return config.ParseHF(m.file, text)
}

// whole is wholeConfig for a text that stands for the file. A transformers config beside it that cannot be read is left
// out: it only adds what no result depends on.
func (m *mender) whole(text []byte, parse func(file string, data []byte) (config.Config, error)) (config.Config, error) {
	cfg, err := parse(m.file, text)
	beside := filepath.Join(m.src.dir, filenames.Whole)
	if err != nil || !exists(beside) {
		return cfg, err
	}
	all, err := config.LoadHF(beside)
	if err == nil {
		return all, config.Agree(m.file, cfg, beside, all)
	}
	if data, rerr := jsonobj.ReadFile(beside, config.MaxFile); rerr == nil {
		all, perr := config.ParseHF(beside, object(jsonobj.Salvage(data).Members))
		if perr == nil && config.Agree(m.file, cfg, beside, all) == nil {
			m.once("rewritten with every setting that can be read", err)
			return all, nil
		}
	}
	m.once("left out: the other configuration says all that results depend on", err)
	return cfg, nil
}

// once adds a finding, unless it is there already.
func (m *mender) once(remedy string, err error) {
	if !slices.ContainsFunc(m.findings, func(f Finding) bool { return f.Problem == err.Error() }) {
		m.add(remedy, "%v", err)
	}
}

// respell replaces the value that an error is about: the string "128" by 128, 32.0 by 32.
func (m *mender) respell(bad *badfile.FormatError) bool {
	i := slices.IndexFunc(m.raw, func(x jsonobj.Member) bool { return x.Key == bad.Where })
	if i < 0 {
		return false
	}
	was := m.raw[i].Value
	text, isText := was.Text()
	if whole, float := strings.CutSuffix(was.Compact(), ".0"); float && !isText {
		text = whole
	} else if !isText {
		return false
	}
	is := jsonobj.Salvage([]byte("{\"x\":" + text + "}"))
	if len(is.Members) != 1 || is.Lost || is.Members[0].Value.Kind() == jsonobj.String {
		return false
	}
	m.raw = slices.Clone(m.raw)
	m.raw[i].Value = is.Members[0].Value
	m.add("read as "+m.raw[i].Value.Compact(), "%v", bad)
	return true
}
