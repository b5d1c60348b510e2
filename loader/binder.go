package loader

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/delta"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// Binder hands out the tensors of a checkpoint by name. It keeps the first error, so that a model can take everything it needs
// and check once. After an error, every tensor is empty.
type Binder struct {
	ck     *Checkpoint
	prefix string
	use    use
	err    *error // shared by all binders of one NewBinder
}

// NewBinder returns a Binder for ck. If ck fails Check, it binds nothing.
func NewBinder(ck *Checkpoint) *Binder {
	err := ck.Check()
	return &Binder{ck: ck, err: &err}
}

// Under returns a binder for the names that start with prefix, within b's own.
func (b *Binder) Under(prefix string) *Binder {
	return &Binder{ck: b.ck, prefix: b.prefix + prefix, use: b.use, err: b.err}
}

// Layer returns the binder for block i: Take("norm.weight") takes "backbone.layers.i.norm.weight".
func (b *Binder) Layer(i int) *Binder { return b.Under(names.Blocks + strconv.Itoa(i) + ".") }

// Take returns the tensor of that name. Its shape is that of the name table, and its dtype is one of tensor.Floats. Data is a
// read-only view of the file; with an adapter, the tensor may have a Coding instead. If the model is tied and the files hold
// only one of embedding and head, both names return that one.
func (b *Binder) Take(name string) tensor.Tensor {
	if *b.err != nil {
		return tensor.Tensor{}
	}
	name = b.prefix + name
	if original, copied := b.ck.copied(name); copied {
		name = original
	}
	if _, ok := b.ck.spec[name]; !ok {
		*b.err = fmt.Errorf("loader: a %s model of this configuration has no tensor %s", b.ck.cfg.Family(), badfile.Quote(name))
		return tensor.Tensor{}
	}
	if a := b.ck.adapter; a != nil && b.use != asStored {
		if t, ok := a.Values[name]; ok {
			return b.changed(t, name)
		}
	}
	i, ok := b.ck.stored(name)
	if !ok { // Check vouches for all but the optional ones
		*b.err = &badfile.FormatError{File: b.ck.weights.Source, Where: badfile.Tensor(name), Detail: "missing"}
		return tensor.Tensor{}
	}
	return b.changed(b.ck.tensors[i], name)
}

// use says what a binder does with an adapter.
type use uint8

const (
	changed  use = iota // tensors are as the adapter changes them, computed as they are read
	apart               // they are as they are stored, and Delta is to be applied
	wide                // they are changed in float64
	asStored            // the base model's
)

func (b *Binder) as(u use) *Binder {
	c := *b
	c.use = u
	return &c
}

// Apart returns a binder whose tensors do not include the changes of an adapter; Delta returns these.
func (b *Binder) Apart() *Binder { return b.as(apart) }

// Wide returns a binder that applies the changes of an adapter in float64.
func (b *Binder) Wide() *Binder { return b.as(wide) }

// Unadapted returns a binder of the base model's tensors.
func (b *Binder) Unadapted() *Binder { return b.as(asStored) }

// Delta returns the change that an adapter makes to a tensor if Take does not include it, or nil.
func (b *Binder) Delta(name string) *delta.Delta {
	if b.ck.adapter == nil || b.use != apart {
		return nil
	}
	return b.ck.adapter.Deltas[b.prefix+name]
}

// changed applies the delta of a tensor as the binder does.
func (b *Binder) changed(t tensor.Tensor, name string) tensor.Tensor {
	if b.ck.adapter == nil || b.ck.adapter.Deltas[name] == nil {
		return t
	}
	d := b.ck.adapter.Deltas[name]
	switch b.use {
	case changed:
		return d.Coded(t)
	case wide:
		var err error
		t, err = d.Merged(t)
		b.Fail(strings.TrimPrefix(name, b.prefix), err)
	}
	return t
}

// Fail records an error about the tensor of that name, unless there was one before.
func (b *Binder) Fail(name string, err error) {
	if *b.err == nil && err != nil {
		*b.err = &badfile.FormatError{File: b.ck.adapter.Dir, Where: badfile.Tensor(b.prefix + name), Detail: err.Error()}
	}
}

// Err returns the first error, or nil if every tensor asked for was there.
func (b *Binder) Err() error { return *b.err }
