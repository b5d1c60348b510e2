package layout

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Listing is what the files of a checkpoint hold.
type Listing struct {
	Model   string // what the configuration calls the architecture; empty if it does not say
	Config  string // as it is stored, if it is JSON
	Tensors []Listed
}

// Listed is a tensor as it is stored. DType is the format's own name for the type of the elements, usable or not.
type Listed struct {
	Name, DType string
	Shape       []int // as PyTorch gives it, outermost first
	Bytes       int
	File        string
}

// List lists what a folder holds.
func (f *Folder) List(src Source) (*Listing, error) {
	l := &Listing{}
	if err := l.takeConfig(f.Config(src)); err != nil {
		return nil, err
	}
	path, err := f.Weights(src)
	if err != nil {
		return nil, err
	}
	shards := []string{path}
	if filenames.IsIndex(filepath.Base(path)) {
		if shards, err = Shards(path); err != nil {
			return nil, err
		}
	}
	for _, shard := range shards {
		if err := l.take(shard); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// takeConfig reads what a config says of the architecture.
func (l *Listing) takeConfig(path string) error {
	data, err := jsonobj.ReadFile(path, config.MaxFile)
	if err != nil {
		return NotLinked(path, err)
	}
	keys, err := jsonobj.Parse(data)
	if err != nil {
		return nil // opening it says so; the tensors can be listed all the same
	}
	l.Config = string(data)
	text := func(keys jsonobj.Members, key string) string {
		v, _ := keys.Get(key)
		t, _ := v.Text()
		return t
	}
	if l.Model = text(keys, "model_type"); l.Model != "" {
		return nil
	}
	if v, ok := keys.Get("ssm_cfg"); ok {
		members, _ := v.Members()
		l.Model = text(members, "layer")
	}
	return nil
}

// take lists the tensors of a file, of which nothing stays mapped.
func (l *Listing) take(path string) error {
	f, err := OpenFile(path)
	if err != nil {
		return NotLinked(path, err)
	}
	for _, t := range f.Tensors() {
		l.Tensors = append(l.Tensors, Listed{strings.Clone(t.Name), t.DType.String(), slices.Clone(t.Shape), t.Size(), path})
	}
	return f.Close()
}
