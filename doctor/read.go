package doctor

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
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layouts"
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
func (d *doctor) readConfig() {
	d.file = d.layout.Folder.Config(d.src)
	data, err := jsonobj.ReadFile(d.file, config.MaxFile)
	switch linked := layout.NotLinked(d.file, err); {
	case err == nil:
	case linked != err || !errors.Is(err, fs.ErrNotExist):
		d.damage = damage{err: linked, lost: true}
		return
	default:
		d.damage = damage{err: &badfile.FormatError{File: d.file, Detail: "missing; it holds the model's settings"}, lost: true}
		return
	}
	keys, odd, err := jsonobj.ParseNoting(data)
	if d.raw = keys; err == nil {
		for _, o := range odd {
			d.notes = append(d.notes, config.Note{File: d.file, Key: o.Key, Detail: o.What})
		}
		d.lift()
		return
	}
	found := jsonobj.Salvage(data)
	d.raw = found.Members
	d.damage = damage{lost: found.Lost, partial: found.Partial, unread: found.Unread,
		err: &badfile.FormatError{File: d.file, Detail: described(found.Damage)}}
	if d.layout.Name == layouts.Default {
		d.layout = layouts.Speaking(object(d.raw))
	}
	d.lift()
}

// described lists the first few kinds of damage.
func described(list []string) string {
	text := strings.Join(list[:min(len(list), badfile.MaxListed)], "; ")
	if more := len(list) - badfile.MaxListed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// lift moves settings to the top level that are inside an object, such as text_config, in a file without sizes.
func (d *doctor) lift() {
	if _, flat := d.raw.Get("hidden_size"); flat || !d.statesAll() {
		return
	}
	for i, x := range d.raw {
		path, inside := settingsIn(x.Key, x.Value, maxNested)
		if inside == nil {
			continue
		}
		d.add("read as if they stood at the top level, as they do in a copy",
			"%s: %s: holds the settings of the model, which transformers reads at the top level only", d.file, badfile.Quote(path))
		d.raw = merged(inside, slices.Delete(slices.Clone(d.raw), i, i+1), nil)
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
func (d *doctor) parse() (config.Config, error) {
	if len(d.raw) == 0 && d.damage.err != nil {
		return nil, d.damage.err
	}
	for range maxBadKeys {
		cfg, err := d.parseText(object(d.raw))
		if bad, ok := errors.AsType[*badfile.FormatError](err); ok && d.respell(bad) {
			continue
		}
		if err == nil {
			d.notes = append(d.notes, cfg.Shared().Notes()...)
		}
		return cfg, err
	}
	return d.parseText(object(d.raw))
}

// parseText reads a configuration in the dialect of the layout.
func (d *doctor) parseText(text []byte) (config.Config, error) {
	f := d.folder()
	cfg, err := f.Parse(d.file, text)
	if err != nil || f.Whole {
		return cfg, err
	}
	return d.completed(cfg)
}

// completed returns the transformers config beside one that states less, if there is one. If that cannot be read it is left
// out: it only adds what no result depends on.
func (d *doctor) completed(cfg config.Config) (config.Config, error) {
	beside := filepath.Join(d.src.Dir, filenames.Whole)
	if !layout.Exists(beside) {
		return cfg, nil
	}
	all, err := config.LoadHF(beside)
	if err == nil {
		return all, config.Agree(d.file, cfg, beside, all)
	}
	if data, rerr := jsonobj.ReadFile(beside, config.MaxFile); rerr == nil {
		all, perr := config.ParseHF(beside, object(jsonobj.Salvage(data).Members))
		if perr == nil && config.Agree(d.file, cfg, beside, all) == nil {
			d.once("rewritten with every setting that can be read", err)
			return all, nil
		}
	}
	d.once("left out: the other configuration says all that results depend on", err)
	return cfg, nil
}

// once adds a finding, unless it is there already.
func (d *doctor) once(remedy string, err error) {
	if !slices.ContainsFunc(d.findings, func(f Finding) bool { return f.Problem == err.Error() }) {
		d.add(remedy, "%v", err)
	}
}

// respell replaces the value that an error is about: the string "128" by 128, 32.0 by 32.
func (d *doctor) respell(bad *badfile.FormatError) bool {
	i := slices.IndexFunc(d.raw, func(x jsonobj.Member) bool { return x.Key == bad.Where })
	if i < 0 {
		return false
	}
	was := d.raw[i].Value
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
	d.raw = slices.Clone(d.raw)
	d.raw[i].Value = is.Members[0].Value
	d.add("read as "+d.raw[i].Value.Compact(), "%v", bad)
	return true
}
