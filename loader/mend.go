package loader

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
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
	src      source
	layout   string
	file     string          // of the configuration
	raw      jsonobj.Members // its keys, as far as it has any
	damage   damage          // of the file
	notes    []config.Note   // what else is odd about it
	w        *weights
	findings []Finding
}

func (m *mender) add(remedy, format string, args ...any) {
	m.findings = append(m.findings, Finding{Problem: fmt.Sprintf(format, args...), Remedy: remedy})
}

// hopeless notes an error for which there is no remedy here.
func (m *mender) hopeless(err error) { m.add("", "%v", err) }

func (m *mender) mend(path string) *Checkpoint {
	src, l, err := detect(path)
	m.src, m.layout = src, l.name
	if err != nil {
		m.layout = "hf"
	}
	var cfg config.Config
	if m.layout == layoutGGUF.name {
		if cfg, m.w, err = openGGUF(m.src); err != nil {
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
	for _, severity := range []Severity{Error, Warning} {
		for _, f := range ck.faults {
			if f.severity == severity {
				m.findings = append(m.findings, Finding{Problem: f.err().Error(), Remedy: f.mended()})
			}
		}
	}
	if f := ck.head().fault; f != nil {
		m.findings = append(m.findings, Finding{Problem: f.err().Error(), Remedy: f.mended()})
	}
	return ck, nil
}

// examined is the checkpoint of a configuration.
func (m *mender) examined(cfg config.Config) (*Checkpoint, error) {
	ck := &Checkpoint{path: m.src.dir, layout: m.layout, cfg: cfg, weights: m.w}
	if err := ck.examine(Options{}); err != nil {
		return nil, err
	}
	ck.head = sync.OnceValue(ck.compareHead)
	return ck, nil
}

// family tells by the tensors what a model is; FalconMamba has those of Mamba.
func (m *mender) family() config.Family {
	has := func(name string) bool {
		return slices.ContainsFunc(m.w.tensors, func(t tensor.Tensor) bool { return t.Name == names.Blocks+"0.mixer."+name })
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
