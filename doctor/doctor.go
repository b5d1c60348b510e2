// Package doctor finds out what is wrong with a checkpoint. It opens files that package loader refuses, as far as possible,
// and describes each problem in one line, with the remedy that a repaired copy would have. It also lists the contents of
// checkpoints of unknown models. It opens files in parts through internal/layout.
package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/layouts"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Finding is something that is wrong with a checkpoint.
type Finding struct {
	Problem string `json:"problem"`          // one line: file, tensor or key, what was found, what was expected
	Remedy  string `json:"remedy,omitempty"` // what a copy has instead; empty: only other files help

	// Of a configuration that could not be read as a whole: the keys that were kept, those with the values that tensors
	// show, and those that have their defaults, as no result depends on them.
	Kept     []string `json:"kept,omitempty"`
	Inferred []string `json:"inferred,omitempty"`
	Defaults []string `json:"defaults,omitempty"`
}

// Examine opens a checkpoint that may be broken and reports what is wrong with it. Tensors get the names that they were meant
// to have; shards are used as they are found, whatever the index says; sizes and family follow from the tensors; and everything
// else that can be read of the configuration is kept.
//
// The checkpoint is nil if the files do not contain enough information. It can be used if every finding has a remedy. The error
// is that of a path that cannot be read.
func Examine(path string) (*loader.Checkpoint, []Finding, error) {
	if _, err := files.Stat(path); err != nil {
		return nil, nil, err
	}
	d := &doctor{}
	ck := d.examine(path)
	return ck, d.findings, nil
}

// doctor collects what is wrong.
type doctor struct {
	src      layout.Source
	layout   layout.Layout
	file     string          // of the configuration
	raw      jsonobj.Members // its keys, as far as it has any
	damage   damage          // of the file
	notes    []config.Note   // what else is odd about it
	w        *layout.Weights
	findings []Finding
}

func (d *doctor) add(remedy, format string, args ...any) {
	d.findings = append(d.findings, Finding{Problem: fmt.Sprintf(format, args...), Remedy: remedy})
}

// unfixable notes an error for which there is no remedy here.
func (d *doctor) unfixable(err error) { d.add("", "%v", err) }

func (d *doctor) examine(path string) *loader.Checkpoint {
	src, l, err := layouts.Detect(path)
	d.src, d.layout = src, l
	if err != nil {
		d.layout = layouts.Meant(src)
	}
	var cfg config.Config
	if d.layout.Folder == nil {
		if cfg, d.w, err = d.layout.Open(d.src); err != nil {
			d.unfixable(err)
			return nil
		}
		d.file = d.w.Source
	} else if d.readConfig(); !d.open() {
		if len(d.findings) == 0 {
			d.unfixable(err)
		}
		return nil
	}
	known := len(d.findings)
	if cfg = d.config(cfg); cfg == nil {
		d.giveUp()
		return nil
	}
	ck, err := d.build(cfg)
	if err != nil {
		d.unfixable(err)
		d.giveUp()
		return nil
	}
	d.account(ck.Config(), known)
	return ck
}

// folder is how the layout is opened in parts; for a layout that is a file, how a configuration is made for it.
func (d *doctor) folder() *layout.Folder {
	if d.layout.Folder != nil {
		return d.layout.Folder
	}
	l, _ := layouts.Named(layouts.Default)
	return l.Folder
}

// statesAll reports whether the file of the configuration states every setting.
func (d *doctor) statesAll() bool { return d.layout.Folder != nil && d.layout.Folder.Whole }

// giveUp gives the weights up. They are only read, so an error of closing them is of no interest.
func (d *doctor) giveUp() { _ = d.w.Close() }

// build makes the checkpoint and adds what remains wrong with it.
func (d *doctor) build(cfg config.Config) (*loader.Checkpoint, error) {
	ck, err := d.assembled(cfg)
	if err != nil {
		return nil, err
	}
	if family := d.family(); ck.Check() != nil && d.statesAll() && family == cfg.Family() {
		// Its settings could not be fitted to the tensors one by one.
		before := len(d.findings)
		if again, err := d.assembled(d.remake(family)); err == nil && again.Check() == nil {
			ck = again
		} else {
			d.findings = d.findings[:before]
		}
	}
	if headDiffers(ck) {
		d.add("tie_word_embeddings is false", "%s: tie_word_embeddings: true, but lm_head.weight differs from the embedding it would be tied to", d.file)
		untied := ck.Config()
		untied.Shared().TieWordEmbeddings = false
		if ck, err = d.assembled(untied); err != nil {
			return nil, err
		}
	}
	for _, p := range ck.Problems() {
		if p.Severity == loader.Note {
			continue
		}
		d.findings = append(d.findings, Finding{Problem: p.Text, Remedy: p.Remedy})
	}
	return ck, nil
}

// headDiffers reports whether a model stores a head that the configuration calls tied but that is not the embedding.
func headDiffers(ck *loader.Checkpoint) bool {
	embedding, stored := ck.Tensor(names.Embedding)
	head, both := ck.Tensor(names.Head)
	return stored && both && slices.Equal(embedding.Shape, head.Shape) && ck.Config().Shared().TieWordEmbeddings && !ck.Tied()
}

// assembled is the checkpoint of a configuration.
func (d *doctor) assembled(cfg config.Config) (*loader.Checkpoint, error) {
	ck, err := layout.NewCheckpoint(d.src.Dir, d.layout.Name, cfg, d.w)
	if err != nil {
		return nil, err
	}
	return ck.(*loader.Checkpoint), nil
}

// nameHybrid gives a configuration its model_type if it does not have one that can be read, and the tensors are those of a
// hybrid. It reports false if there is nothing else that can be read: blocks and heads do not show in tensors.
func (d *doctor) nameHybrid() bool {
	v, stated := d.raw.Get(keyModelType)
	if _, readable := v.Text(); readable || !d.statesAll() {
		return true
	}
	_, family := d.ofHybrid()
	switch {
	case family == "":
		return true
	case len(d.raw) == 0 && d.damage.err != nil:
		d.unfixable(fmt.Errorf("%w; the tensors are those of %s, whose blocks and heads only it states: download it again", d.damage.err, config.Title(family)))
		return false
	}
	found := "missing"
	if stated {
		found = "found " + badfile.Quote(v.Compact())
	}
	d.add(fmt.Sprintf("model_type is %q", family), "%s: model_type: %s, but the tensors are those of %s; transformers chooses the model's class by it",
		d.file, found, config.Title(family))
	named, _ := jsonobj.ParseValue(strconv.Quote(string(family)))
	d.raw = append(slices.DeleteFunc(slices.Clone(d.raw), func(m jsonobj.Member) bool { return m.Key == keyModelType }),
		jsonobj.Member{Key: keyModelType, Value: named})
	return true
}

// hybrid returns the configuration of a hybrid, if it can be read; nil: it is not one.
func (d *doctor) hybrid() config.Config {
	if !d.statesAll() {
		return nil
	}
	cfg, err := d.parseText(object(d.raw))
	if err != nil || !config.Hybrid(cfg.Family()) {
		return nil
	}
	return cfg
}

// saysHybrid reports whether the model_type is that of a hybrid.
func (d *doctor) saysHybrid() bool {
	v, _ := d.raw.Get(keyModelType)
	name, _ := v.Text()
	return config.Hybrid(config.Family(name))
}

// lostHybrid says that the tensors are those of a hybrid whose configuration is lost, if they are; cfg and err are what became
// of reading it. Its layers and most of its settings are nowhere else.
func (d *doctor) lostHybrid(cfg config.Config, err error) bool {
	name, family := d.ofHybrid()
	if name == "" || err != nil && d.saysHybrid() && !d.damage.lost || err == nil && (!d.damage.lost || d.fits(cfg)) {
		return false
	}
	what := "the tensors are those of " + config.Title(family) + " or another hybrid, such as " + badfile.Quote(name)
	d.add("", "%v; %s, whose layers and settings only this file states: download it again", cmp.Or(d.damage.err, err), what)
	return true
}

// ofHybrid is names.OfHybrid of the names in the files.
func (d *doctor) ofHybrid() (name string, family config.Family) {
	var list []string
	stored := d.w.Listed
	if stored == nil {
		stored = d.w.Tensors
	}
	for _, t := range stored {
		list = append(list, t.Name)
	}
	return names.OfHybrid(list)
}

// fits reports whether a configuration fits the tensors once they show its sizes.
func (d *doctor) fits(cfg config.Config) bool {
	ck, err := d.assembled(layout.Fit(d.sized(cfg), d.w.Tensors))
	return err == nil && ck.Check() == nil
}

// family infers from the tensors what a model is. If several families have such tensors, it is the plain one. Those of a
// hybrid do not show it.
func (d *doctor) family() config.Family {
	if name, _ := d.ofHybrid(); name != "" || d.saysHybrid() {
		return ""
	}
	return names.FamilyOf(func(name string) bool {
		return slices.ContainsFunc(d.w.Tensors, func(t tensor.Tensor) bool { return t.Name == name })
	})
}

// repairable reports whether an error of reading the configuration is one that the tensors can answer: not what says that
// the model is of a kind that cannot be run.
func repairable(err error) bool {
	if e, ok := errors.AsType[*badfile.UnsupportedError](err); ok {
		return slices.Contains([]string{"model_type", "architectures", "d_model", "dim"}, e.Where)
	}
	return true
}
