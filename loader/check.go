package loader

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Severity says whether a checkpoint with a problem can be used.
type Severity uint8

// A Warning leaves the checkpoint usable, an Error does not. With a Note nothing is wrong.
const (
	Warning Severity = iota + 1
	Error
	Note
)

// String returns "warning", "error" or "note".
func (s Severity) String() string {
	return [...]string{Warning: "warning", Error: "error", Note: "note"}[s]
}

// Problem is something about a checkpoint that its user should know.
type Problem struct {
	Severity Severity
	Text     string // one line: file, tensor or key, what was found, what was expected
	Fixable  bool   // package doctor can write a copy that follows the tensors
	Remedy   string // of a Warning: what a conversion to the same layout writes instead; empty for an Error
}

// fault is a problem together with the kind of error it becomes.
type fault struct {
	severity            Severity
	file, where, detail string
	unsupported         bool
	fixable             bool   // by a copy with the configuration that the tensors show
	remedy              string // of a warning: what a repaired copy has instead
}

func (f fault) err() error {
	if f.unsupported {
		return &badfile.UnsupportedError{File: f.file, Where: f.where, Detail: f.detail}
	}
	return &badfile.FormatError{File: f.file, Where: f.where, Detail: f.detail, Fixable: f.fixable}
}

// problem is the fault as users see it.
func (f fault) problem() Problem {
	p := Problem{Severity: f.severity, Text: f.err().Error(), Fixable: f.fixable}
	if f.severity == Warning {
		p.Remedy = cmp.Or(f.remedy, "not so in a copy")
	}
	return p
}

// Problems returns what contradicts the configuration or looks odd, errors first and notes last. If a tied model stores a head anyway, the
// first call compares it with the embedding, which reads both.
func (ck *Checkpoint) Problems() []Problem {
	if err := ck.usable(); err != nil {
		return []Problem{{Severity: Error, Text: err.Error()}}
	}
	faults := ck.faults
	if f := ck.head().fault; f != nil {
		faults = append(slices.Clone(faults), *f)
	}
	problems := make([]Problem, 0, len(faults))
	for _, severity := range []Severity{Error, Warning, Note} {
		for _, f := range faults {
			if f.severity == severity {
				problems = append(problems, f.problem())
			}
		}
	}
	return problems
}

// Check returns nil if the checkpoint can be used, and otherwise its first error: a *badfile.FormatError, a
// *badfile.UnsupportedError or ErrClosed. It does not read tensor data.
func (ck *Checkpoint) Check() error {
	if err := ck.usable(); err != nil {
		return err
	}
	var first *fault
	more := 0
	for i := range ck.faults {
		switch {
		case ck.faults[i].severity != Error: // a warning or a note
		case first == nil:
			first = &ck.faults[i]
		default:
			more++
		}
	}
	if first == nil {
		return nil
	}
	f := *first
	if more > 0 {
		f.detail += fmt.Sprintf("; %s", badfile.Count(more, "more problem"))
	}
	return f.err()
}

// examination sorts the tensors of a checkpoint by what the table says about them.
type examination struct {
	ck        *Checkpoint
	divisible map[string]names.Whole // tensors of several parts
	whole     map[string]bool        // the parts of those that were not taken apart, for their shapes

	misshape []shapeMismatch
	mistyped []tensor.Tensor
	missing  []names.Spec
	misnamed []string // names that stand for one of the table
	leftOver []string // names of the family that the configuration cannot hold
	foreign  []string
	copies   []twin
}

type shapeMismatch struct {
	tensor.Tensor
	spec names.Spec
}

// examine compares names, shapes and dtypes with the table.
func (ck *Checkpoint) examine(opts Options) error {
	table, err := names.Table(ck.cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", ck.path, err)
	}
	ck.spec = make(map[string]names.Spec, len(table))
	for _, s := range table {
		ck.spec[s.Name] = s
	}
	ck.copied = names.Copies(ck.cfg)
	ck.found = make(map[string]int, len(table))
	files, err := ck.layout.InFiles(ck.cfg)
	if err != nil {
		return err
	}
	x := examination{ck: ck, whole: make(map[string]bool)}
	if x.divisible, err = ck.layout.Divisible(ck.cfg); err != nil {
		return err
	}
	ck.tensors = layout.Divide(ck.weights.Tensors, x.divisible)
	for i, t := range ck.tensors {
		x.sort(i, t)
	}
	if err := x.settleCopies(); err != nil {
		return err
	}
	meant := x.settleMisnamed()
	required := 0
	for _, w := range files {
		if w.Optional {
			continue
		}
		required++
		if slices.ContainsFunc(w.Parts, func(s names.Spec) bool {
			_, ok := ck.stored(s.Name)
			return !ok && !meant[s.Name] && !x.whole[s.Name]
		}) {
			x.missing = append(x.missing, w.Spec)
		}
	}
	x.report(required, opts)
	for _, n := range ck.weights.Notes {
		f := fault{severity: Warning, file: n.File, where: n.Where, detail: n.Detail, remedy: n.Remedy}
		if n.Usual {
			f.severity = Note
		}
		ck.faults = append(ck.faults, f)
	}
	return nil
}

// sort files tensor i under what the table says about it.
func (x *examination) sort(i int, t tensor.Tensor) {
	name := t.Name
	canonical, renamed := names.Rename(name)
	if renamed && canonical == names.Backbone+name {
		name, renamed = canonical, false
	}
	if original, copied := x.ck.copied(name); copied {
		x.copies = append(x.copies, twin{t, i, original})
		return
	}
	spec, wanted := x.ck.spec[name]
	_, twice := x.ck.found[name]
	switch {
	case x.divisible[name].Parts != nil:
		x.misshape = append(x.misshape, shapeMismatch{t, x.divisible[name].Spec})
		for _, s := range x.divisible[name].Parts {
			x.whole[s.Name] = true
		}
	case wanted && !twice:
		x.ck.found[name] = i
		if !slices.Equal(t.Shape, spec.Shape) {
			x.misshape = append(x.misshape, shapeMismatch{t, spec})
		} else if !t.DType.Float() {
			x.mistyped = append(x.mistyped, t)
		}
	case renamed:
		x.misnamed = append(x.misnamed, t.Name)
	case wanted, names.Own(x.ck.cfg, name):
		x.leftOver = append(x.leftOver, t.Name)
	case strings.HasPrefix(name, names.MultiToken) && config.Hybrid(x.ck.cfg.Family()) && t.DType.Float():
		x.ck.further = append(x.ck.further, t)
	default:
		x.foreign = append(x.foreign, t.Name)
	}
}

// settleMisnamed returns the names that misnamed tensors stand for. If the right name is there as well, the wrong one
// is left over.
func (x *examination) settleMisnamed() map[string]bool {
	meant := make(map[string]bool)
	x.misnamed = slices.DeleteFunc(x.misnamed, func(name string) bool {
		canonical, _ := names.Rename(name)
		_, there := x.ck.found[canonical]
		if there {
			x.leftOver = append(x.leftOver, name)
		}
		meant[canonical] = true
		return there
	})
	return meant
}
