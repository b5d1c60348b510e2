package loader

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/internal/tensor"
)

// Finding is something that is wrong with a checkpoint.
type Finding struct {
	Problem string `json:"problem"`          // one line: file, tensor or key, what was found, what was expected
	Remedy  string `json:"remedy,omitempty"` // how Mend took it; empty: only other files help

	// Of a configuration that could not be read as a whole: the keys that were kept, those with the values that tensors
	// show, and those that have their defaults, as no result depends on them.
	Kept     []string `json:"kept,omitempty"`
	Inferred []string `json:"inferred,omitempty"`
	Defaults []string `json:"defaults,omitempty"`
}

// Mend opens a checkpoint that may be broken, as well as it can be understood, and says what is wrong with it. Tensors go
// by the names they were meant to have, shards count as they are found whatever the index says, sizes and the family are
// what the tensors tell, and the configuration keeps all else that can be read of it.
//
// The checkpoint is nil where the files do not suffice. It can be used when no finding lacks a remedy. The error is that
// of a path that cannot be read.
func Mend(path string) (*Checkpoint, []Finding, error) {
	if _, err := files.Stat(path); err != nil {
		return nil, nil, err
	}
	m := &mender{}
	ck := m.mend(path)
	return ck, m.findings, nil
}

// mender collects what is wrong.
type mender struct {
	dir, layout string
	file        string          // of the configuration
	raw         jsonobj.Members // its keys, as far as it has any
	damage      damage          // of the file
	notes       []config.Note   // what else is odd about it
	w           *weights
	findings    []Finding
}

func (m *mender) add(remedy, format string, args ...any) {
	m.findings = append(m.findings, Finding{Problem: fmt.Sprintf(format, args...), Remedy: remedy})
}

// hopeless notes an error for which there is no remedy here.
func (m *mender) hopeless(err error) { m.add("", "%v", err) }

func (m *mender) mend(path string) *Checkpoint {
	dir, l, err := detect(path)
	m.dir, m.layout = dir, l.name
	if err != nil {
		m.dir, m.layout = folder(path), "hf"
	}
	var cfg config.Config
	if m.layout == layoutGGUF.name {
		if cfg, m.w, err = openGGUF(m.dir); err != nil {
			m.hopeless(err)
			return nil
		}
		m.file = m.w.source
	} else if m.readConfig(); !m.open() {
		if len(m.findings) == 0 {
			m.hopeless(err)
		}
		return nil
	}
	known := len(m.findings)
	if cfg = m.config(cfg); cfg == nil {
		m.hopelessClose()
		return nil
	}
	ck, err := m.build(cfg)
	if err != nil {
		m.hopeless(err)
		m.hopelessClose()
		return nil
	}
	m.account(ck.cfg, known)
	return ck
}

// hopelessClose gives the weights up. They were read only, so closing them tells nothing.
func (m *mender) hopelessClose() { _ = m.w.close() }

// folder returns path, or the folder of a file.
func folder(path string) string {
	if info, err := files.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// open maps whatever weights the folder holds, and puts their names right.
func (m *mender) open() bool {
	switch {
	case m.layout == layoutMistral.name && filepath.Base(m.file) == fileParams:
		m.single(filepath.Join(m.dir, fileConsolidated), openSafetensors)
	default:
		m.openFolder()
	}
	if m.w == nil {
		return false
	}
	m.rename()
	if m.layout == "hf" {
		m.w.settleMLX()
	}
	m.lacksFormat()
	return true
}

// openFolder maps the first of the files that may hold the weights, shards without their index among them.
func (m *mender) openFolder() {
	for _, f := range hfWeights {
		path := filepath.Join(m.dir, f.name)
		switch {
		case f.sharded && (exists(path) || len(m.shardsOf(f.name)) > 0):
			m.shards(f.name, f.open)
			return
		case !f.sharded && exists(path):
			m.single(path, f.open)
			return
		}
	}
}

func (m *mender) single(path string, open func(path string) (weightFile, error)) {
	w, err := openSingle(path, open)
	if err != nil {
		m.hopeless(err)
		return
	}
	m.w = w
}

// shardsOf returns the files that an index of that name would name, by their usual names.
func (m *mender) shardsOf(index string) []string {
	stem, ending, _ := strings.Cut(strings.TrimSuffix(index, ".index.json"), ".")
	return filenames.In(m.dir, stem+"-*-of-*."+ending)
}

// shards maps shards by their index, or as they are found where that fails for the index alone.
func (m *mender) shards(name string, open func(path string) (weightFile, error)) {
	path := filepath.Join(m.dir, name)
	err := error(&badfile.FormatError{File: path, Detail: "missing, though there are shards"})
	if exists(path) {
		if m.w, err = openShards(path, open); err == nil {
			return
		}
	}
	found := m.shardsOf(name)
	var want int
	if len(found) > 0 {
		last := found[len(found)-1]
		fmt.Sscanf(last[strings.LastIndex(last, "-of-")+len("-of-"):], "%d", &want)
	}
	w, broken := &weights{source: path}, false
	for _, shard := range found {
		f, err := open(shard)
		if err != nil {
			m.hopeless(notLinked(shard, err))
			broken = true
			continue
		}
		w.files = append(w.files, f)
		w.tensors = append(w.tensors, f.Tensors()...)
	}
	if broken || len(found) == 0 || len(found) != want {
		if !broken || len(found) != want {
			m.hopeless(err)
		}
		_ = w.close()
		return
	}
	m.add("the shards are whole: a copy has an index made from them", "%v", err)
	m.w = w
}

// rename gives every tensor its canonical name. A second tensor of one name is left out.
func (m *mender) rename() {
	var misnamed, twice []string
	seen := make(map[string]bool, len(m.w.tensors))
	kept := make([]tensor.Tensor, 0, len(m.w.tensors))
	for _, t := range m.w.tensors {
		name := t.Name
		switch m.layout {
		case "original":
			t.Name = names.FromOriginal(name)
		case layoutMistral.name:
			t.Name = names.FromMistral(name)
		}
		if canonical, ok := names.Rename(t.Name); ok {
			if canonical != barePrefix+t.Name {
				misnamed = append(misnamed, name)
			}
			t.Name = canonical
		}
		if seen[t.Name] {
			twice = append(twice, name)
			continue
		}
		seen[t.Name] = true
		kept = append(kept, t)
	}
	m.w.listed, m.w.tensors = m.w.tensors, kept
	if len(misnamed) > 0 {
		canonical, _ := names.Rename(misnamed[0])
		m.add("read by the right names", "%s: found %s under another name than transformers reads, such as %s for %s",
			m.w.source, count(len(misnamed), "tensor"), badfile.Quote(misnamed[0]), badfile.Quote(canonical))
	}
	if len(twice) > 0 {
		m.add("the first of each is used", "%s: found %s twice, under two names or in two shards: %s",
			m.w.source, count(len(twice), "tensor"), some(twice))
	}
}

// lacksFormat looks for the word that says whose tensors they are, without which transformers before 5 refuses a file.
func (m *mender) lacksFormat() {
	for _, f := range m.w.files {
		if st, ok := f.(*safetensors.File); ok && st.Metadata()["format"] == "" {
			m.add(`the copy has it`, `%s: the header's __metadata__ lacks "format": "pt", without which transformers before 5 refuses the file`, m.w.source)
			return
		}
	}
}

// build examines the checkpoint that it has come to, and sorts what is still to be said.
func (m *mender) build(cfg config.Config) (*Checkpoint, error) {
	ck, err := m.examined(cfg)
	if err != nil {
		return nil, err
	}
	if family := m.family(); ck.Check() != nil && m.layout == "hf" && family == cfg.Family() {
		// Its settings could not be fitted to the tensors one by one.
		said := len(m.findings)
		if again, err := m.examined(m.remake(family)); err == nil && again.Check() == nil {
			ck = again
		} else {
			m.findings = m.findings[:said]
		}
	}
	if f := ck.head().fault; f != nil && f.severity == Warning {
		m.add("tie_word_embeddings is false", "%s: tie_word_embeddings: true, but lm_head.weight differs from the embedding it would be tied to", m.file)
		untied := ck.cfg.Clone()
		untied.Shared().TieWordEmbeddings = false
		if ck, err = m.examined(untied); err != nil {
			return nil, err
		}
	}
	for _, p := range ck.Problems() {
		remedy := ""
		if p.Severity == Warning {
			remedy = "not so in a copy"
		}
		m.findings = append(m.findings, Finding{Problem: p.Text, Remedy: remedy})
	}
	return ck, nil
}

// examined is the checkpoint of a configuration.
func (m *mender) examined(cfg config.Config) (*Checkpoint, error) {
	ck := &Checkpoint{path: m.dir, layout: m.layout, cfg: cfg, weights: m.w}
	if err := ck.examine(Options{}); err != nil {
		return nil, err
	}
	ck.head = sync.OnceValue(ck.compareHead)
	return ck, nil
}

// family tells by the tensors what a model is; FalconMamba has those of Mamba.
func (m *mender) family() config.Family {
	has := func(name string) bool {
		return slices.ContainsFunc(m.w.tensors, func(t tensor.Tensor) bool { return t.Name == blocksPrefix+"0.mixer."+name })
	}
	switch {
	case has("B_bias"): // Mamba-3
		return ""
	case has("x_proj.weight"):
		return config.Mamba
	case has("dt_bias"):
		return config.Mamba2
	}
	return ""
}

// mendable reports whether an error of reading the configuration is one that the tensors can answer: not what says that
// the model is of a kind that cannot be run.
func mendable(err error) bool {
	if e, ok := errors.AsType[*badfile.UnsupportedError](err); ok {
		return slices.Contains([]string{"model_type", "architectures", "d_model", "dim"}, e.Where)
	}
	return true
}
