// Package adapter reads the adapters that PEFT trains (LoRA, 0.21): a folder with
//
//	adapter_config.json          which modules, which rank and scale
//	adapter_model.safetensors    the factors A and B of each module, and tensors that stand in for the base model's;
//	                             or adapter_model.bin
//
// What it hands on knows the base model's canonical names and no names of PEFT.
package adapter

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/layout"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Adapter is what an adapter does to the weights of a model, by canonical names.
type Adapter struct {
	Dir    string
	Deltas map[string]*delta.Delta  // of weights that are changed
	Values map[string]tensor.Tensor // of weights that are replaced, before that; Data lies in the file
	File   layout.File              // of the tensors; it is to be closed
}

// Open reads the adapter in a folder, for a model of that configuration. Errors: *badfile.FormatError for files that are damaged
// or do not fit the model, and *badfile.UnsupportedError that names what PEFT has and is not read here.
func Open(dir string, cfg config.Config) (_ *Adapter, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, filenames.AdapterModel)
	if !layout.Exists(path) {
		if path = filepath.Join(dir, filenames.AdapterTorch); !layout.Exists(path) {
			return nil, &badfile.FormatError{File: dir, Detail: "found " + filenames.AdapterConfig + " without " + filenames.AdapterModel + "; download it into the same folder"}
		}
	}
	file, err := layout.OpenFile(path)
	if err != nil {
		return nil, layout.NotLinked(path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	b := &builder{s: s, cfg: cfg, path: path, a: &Adapter{Dir: dir, File: file, Deltas: map[string]*delta.Delta{}, Values: map[string]tensor.Tensor{}}}
	if err = b.index(); err != nil {
		return nil, err
	}
	err = mmap.Guard(func() error { return b.build(file.Tensors()) })
	return b.a, err
}

// Base returns the name of the base model as the adapter in a folder has it, and its revision if one is given.
func Base(dir string) (name, revision string, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return "", "", err
	}
	return s.base, s.revision, nil
}

// Paths are the files that the adapter was read from.
func (a *Adapter) Paths() []string {
	return append(slices.Clone(a.File.Paths()), filepath.Join(a.Dir, filenames.AdapterConfig))
}

// Weights is how many weights the adapter changes or replaces.
func (a *Adapter) Weights() int {
	n := len(a.Deltas)
	for name := range a.Values {
		if a.Deltas[name] == nil {
			n++
		}
	}
	return n
}

// builder matches the tensors of an adapter with the weights of a model.
type builder struct {
	s    *settings
	cfg  config.Config
	path string
	a    *Adapter

	wholes map[string]names.Whole // parameters as transformers has them in memory and in files, and every weight by itself
	order  map[string]int         // of weights, in the table
}

// index lists the parameters of the model by all their names.
func (b *builder) index() error {
	table, err := names.Table(b.cfg)
	if err != nil {
		return err
	}
	b.wholes, b.order = map[string]names.Whole{}, map[string]int{}
	for i, spec := range table {
		b.order[spec.Name] = i
		b.wholes[spec.Name] = names.Single(spec)
	}
	for _, in := range []func(config.Config) ([]names.Whole, error){names.InHF, names.InMemory} {
		list, err := in(b.cfg)
		if err != nil {
			return err
		}
		for _, w := range list {
			b.wholes[w.Name] = w
		}
	}
	return nil
}

func (b *builder) bad(name, format string, args ...any) error {
	return &badfile.FormatError{File: b.path, Where: badfile.Tensor(name), Detail: fmt.Sprintf(format, args...)}
}

func (b *builder) unsupported(name, format string, args ...any) error {
	return &badfile.UnsupportedError{File: b.path, Where: badfile.Tensor(name), Detail: fmt.Sprintf(format, args...)}
}

// build sorts the tensors by module and turns each into what it does.
func (b *builder) build(tensors []tensor.Tensor) error {
	p := parsed{modules: map[string]*module{}}
	for _, t := range tensors {
		if err := p.add(t); err != nil {
			return b.bad(t.Name, "%v", err)
		}
	}
	for _, t := range p.plain {
		if err := b.replace(t); err != nil {
			return err
		}
	}
	for _, m := range p.sorted() {
		if err := b.change(m); err != nil {
			return err
		}
	}
	if b.a.Weights() == 0 {
		return &badfile.FormatError{File: b.path, Detail: "found no tensors of an adapter, such as lora_A and lora_B; download it again"}
	}
	if err := b.refuseShared(); err != nil {
		return err
	}
	return b.tie()
}
